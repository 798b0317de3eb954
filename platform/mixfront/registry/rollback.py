"""Give an alias back to the version that had it before."""

from dataclasses import dataclass

from mixfront.registry.alias import Alias
from mixfront.registry.server import check_name, registry


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What a rollback did."""

    model: str
    alias: str
    version: str  # has the alias again
    taken_from: str  # had it until now


def rollback(model: str, *, alias: str = "champion", uri: str) -> Rollback:
    """Take the alias from the version that has it and give it to the one before.

    Every version that has held an alias was checked when it was promoted; it is not again.

    Args:
        model: Name of the registered model.
        alias: The alias.
        uri: MLflow's tracking URI.

    Raises:
        UnknownNameError: If no such model is registered.
        PromotionError: If there is no version to give the alias back to.
        TrackingError: If MLflow cannot be reached or refuses.
    """
    check_name("model name", model)
    check_name("alias", alias)
    with registry(uri) as client:
        taken_from, version = Alias(client, model, alias).give_back()
    return Rollback(model=model, alias=alias, version=version, taken_from=taken_from)
