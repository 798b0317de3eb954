"""An alias of a registered model, and the versions that had it before.

MLflow keeps only who has an alias now. Who had it is kept as a tag of the registered model,
`mixfront.history.<alias>`: a JSON list of versions, the latest last.
"""

import json
from typing import TYPE_CHECKING

from mixfront.exceptions import PromotionError, UnknownNameError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

_KEPT = 100  # versions; a tag's length is limited


class Alias:
    """One alias of one registered model.

    Args:
        client: Of the server that has the model.
        model: Name of the registered model.
        alias: The alias, such as "champion".
    """

    def __init__(self, client: "MlflowClient", model: str, alias: str) -> None:
        self.model = model
        self.alias = alias
        self._client = client

    def holder(self) -> str | None:
        """The version that has the alias now.

        Raises:
            UnknownNameError: If no such model is registered.
        """
        aliases: dict[str, object] = self._registered().aliases
        version = aliases.get(self.alias)
        return None if version is None else str(version)

    def give(self, version: str) -> str | None:
        """Hand the alias to `version`.

        Returns:
            The version that had it until now.
        """
        before = self.holder()
        if before is not None and before != version:
            # The history first: if the second call fails, nothing was lost by the first.
            self._write([*self._history(), before])
        self._client.set_registered_model_alias(self.model, self.alias, version)
        return before

    def give_back(self) -> tuple[str, str]:
        """Hand the alias back to the version that had it before, if that still exists.

        Returns:
            The version that had it until now, and the one that has it again.

        Raises:
            UnknownNameError: If no such model is registered.
            PromotionError: If nobody has the alias, or nobody had it before.
        """
        now = self.holder()
        if now is None:
            raise PromotionError(
                f"no version of {self.model!r} has the alias {self.alias!r}: promote one first"
            )
        history = self._history()
        while history:
            version = history.pop()
            if version != now and self._exists(version):
                self._client.set_registered_model_alias(self.model, self.alias, version)
                self._write(history)
                return now, version
        raise PromotionError(
            f"version {now} of {self.model!r} is the first that has had the alias "
            f"{self.alias!r}, so there is none to give it back to; "
            "promote another trial instead"
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
        text = json.dumps(versions[-_KEPT:])
        self._client.set_registered_model_tag(self.model, self._tag, text)
