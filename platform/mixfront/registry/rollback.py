"""Moves an alias back to the version that had it before."""

from dataclasses import dataclass

from mixfront.registry.alias import Alias
from mixfront.registry.server import check_name, registry


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """The result of a rollback."""

    model: str
    alias: str
    version: str  # has the alias after the rollback
    taken_from: str  # had the alias before the rollback


def rollback(model: str, *, alias: str = "champion", uri: str) -> Rollback:
    """Move the alias back to the version that had it before.

    That version was checked when it was promoted, and is not checked again.

    Args:
        model: Name of the registered model.
        alias: The alias.
        uri: MLflow's tracking URI.

    Raises:
        UnknownNameError: If no such model is registered.
        PromotionError: If no version has the alias, or no earlier one had it.
        TrackingError: If MLflow cannot be reached or refuses.
    """
    check_name("model name", model)
    check_name("alias", alias)
    with registry(uri) as client:
        taken_from, version = Alias(client, model, alias).move_back()
    return Rollback(model=model, alias=alias, version=version, taken_from=taken_from)
