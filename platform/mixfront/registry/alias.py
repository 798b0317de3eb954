"""An alias of a registered model, and the versions that had it before.

MLflow only stores the version that has an alias. Earlier versions are stored in a tag of the
registered model, `mixfront.history.<alias>`: a JSON list of versions, the latest last.
"""

import json
from typing import TYPE_CHECKING

from mixfront.exceptions import PromotionError, UnknownNameError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

_MAX_HISTORY = 100  # versions; MLflow limits the length of a tag


class Alias:
    """One alias of one registered model.

    Args:
        client: A client of the server that has the model.
        model: Name of the registered model.
        alias: The alias, such as "champion".
    """

    def __init__(self, client: "MlflowClient", model: str, alias: str) -> None:
        self.model = model
        self.alias = alias
        self._client = client

    def holder(self) -> str | None:
        """The version that has the alias, or None.

        Raises:
            UnknownNameError: If no such model is registered.
        """
        aliases: dict[str, object] = self._registered().aliases
        version = aliases.get(self.alias)
        return None if version is None else str(version)

    def move_to(self, version: str) -> str | None:
        """Move the alias to `version`.

        Returns:
            The version that had it before, or None.
        """
        before = self.holder()
        if before is not None and before != version:
            # History first: if moving the alias fails, no version is missing from it.
            self._write([*self._history(), before])
        self._client.set_registered_model_alias(self.model, self.alias, version)
        return before

    def move_back(self) -> tuple[str, str]:
        """Move the alias back to the latest earlier version that still exists.

        Returns:
            The version that had the alias before the call, and the one that has it after.

        Raises:
            UnknownNameError: If no such model is registered.
            PromotionError: If no version has the alias, or no earlier one had it.
        """
        now = self.holder()
        if now is None:
            raise PromotionError(
                f"no version of {self.model!r} has the alias {self.alias!r}; promote a trial first"
            )
        history = self._history()
        while history:
            version = history.pop()
            if version != now and self._exists(version):
                self._client.set_registered_model_alias(self.model, self.alias, version)
                self._write(history)
                return now, version
        raise PromotionError(
            f"version {now} of {self.model!r} is the first with the alias {self.alias!r}, "
            "so it cannot be rolled back; promote another trial instead"
        )

    def _registered(self) -> "RegisteredModel":
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_registered_model(self.model)
        except MlflowException as problem:
            if problem.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            known = [model.name for model in self._client.search_registered_models()]
            raise UnknownNameError("registered model", self.model, known) from None

    def _exists(self, version: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_model_version(self.model, version)
        except MlflowException as problem:
            if problem.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return True

    @property
    def _tag(self) -> str:
        return f"mixfront.history.{self.alias}"

    def _history(self) -> list[str]:
        return list(json.loads(self._registered().tags.get(self._tag, "[]")))

    def _write(self, versions: list[str]) -> None:
        text = json.dumps(versions[-_MAX_HISTORY:])
        self._client.set_registered_model_tag(self.model, self._tag, text)
