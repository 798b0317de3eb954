"""A rollback moves an alias back through its history."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from mixfront.exceptions import PromotionError, UnknownNameError
from mixfront.registry.alias import Alias
from mixfront.registry.rollback import rollback
from mixfront.registry.server import registry

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture
def client(uri: str) -> Iterator["MlflowClient"]:
    """A registry in which "ranker" has four versions."""
    with registry(uri) as client:
        client.create_registered_model("ranker")
        for _ in range(4):
            client.create_model_version("ranker", "file:///nowhere", await_creation_for=0)
        yield client


def _give(client: "MlflowClient", *versions: str) -> Alias:
    alias = Alias(client, "ranker", "champion")
    for version in versions:
        alias.move_to(version)
    return alias


def test_each_rollback_undoes_one_promotion_until_none_is_left(
    client: "MlflowClient", uri: str
) -> None:
    alias = _give(client, "1", "2", "3")
    step = rollback("ranker", uri=uri)
    assert (step.taken_from, step.version) == ("3", "2")
    assert rollback("ranker", uri=uri).version == "1"
    assert alias.holder() == "1"
    with pytest.raises(PromotionError, match="version 1 of 'ranker' is the first"):
        rollback("ranker", uri=uri)
    assert alias.holder() == "1"


def test_a_promotion_after_a_rollback_is_undone_to_the_version_in_use(
    client: "MlflowClient", uri: str
) -> None:
    _give(client, "1", "2")
    rollback("ranker", uri=uri)
    _give(client, "3")
    assert rollback("ranker", uri=uri).version == "1"


def test_deleted_versions_are_skipped(client: "MlflowClient", uri: str) -> None:
    _give(client, "1", "2", "3")
    client.delete_model_version("ranker", "2")
    assert rollback("ranker", uri=uri).version == "1"


def test_a_manually_set_alias_is_in_the_history_too(client: "MlflowClient", uri: str) -> None:
    client.set_registered_model_alias("ranker", "champion", "4")
    _give(client, "1")
    assert rollback("ranker", uri=uri).version == "4"


def test_giving_an_alias_to_its_holder_changes_nothing(client: "MlflowClient", uri: str) -> None:
    _give(client, "1", "2", "2")
    assert rollback("ranker", uri=uri).version == "1"


def test_aliases_have_separate_histories(client: "MlflowClient", uri: str) -> None:
    _give(client, "1", "2")
    Alias(client, "ranker", "challenger").move_to("3")
    with pytest.raises(PromotionError, match="'challenger'"):
        rollback("ranker", alias="challenger", uri=uri)
    assert rollback("ranker", uri=uri).version == "1"


def test_an_unused_alias_is_refused(client: "MlflowClient", uri: str) -> None:
    assert client
    with pytest.raises(PromotionError, match="no version of 'ranker' has the alias"):
        rollback("ranker", uri=uri)


def test_unknown_model(client: "MlflowClient", uri: str) -> None:
    assert client
    with pytest.raises(UnknownNameError, match="did you mean 'ranker'"):
        rollback("rankr", uri=uri)
