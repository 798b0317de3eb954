"""`precision: auto`, resolved for the devices of a cluster that the test makes up."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mixfront.cluster.devices import Node
from mixfront.records import RecordStore, SearchRecord
from mixfront.search import precision
from mixfront.search.precision import resolve_precision


@pytest.fixture
def resolved(make_spec: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Resolves a precision on nodes of which some only emulate bf16; (precision, printed)."""

    def resolve(wanted: str, nodes: int, emulating: int) -> tuple[str, str]:
        names = [Node(node_id=str(i), name=f"10.0.0.{i}") for i in range(nodes)]
        monkeypatch.setattr(precision, "lane_nodes", lambda _trial: names)
        monkeypatch.setattr(
            precision,
            "nodes_without_bf16",
            lambda found, _trial: [node.name for node in found[:emulating]],
        )
        store = RecordStore(str(tmp_path), "s")
        record = SearchRecord(
            search_id="s-1",
            name="s",
            spec=make_spec(training={"precision": wanted}).dump(),
            objectives=[],
            reference_point=[],
            optuna_storage="",
            tracking_uri="",
            experiment="",
        )
        store.save_search(record)
        console = Console(file=(out := io.StringIO()), width=300)
        resolve_precision(store, record, console)
        return store.search().spec["training"]["precision"], out.getvalue()

    return resolve


def test_auto_is_bf16_where_every_node_has_it(resolved: Any) -> None:
    assert resolved("auto", 3, 0) == ("bf16", "precision: bf16 (native on every lane's device)\n")


@pytest.mark.parametrize(("nodes", "emulating"), [(3, 1), (1, 1), (0, 0)])
def test_auto_is_fp32_where_one_node_lacks_it_or_none_is_up(
    resolved: Any, nodes: int, emulating: int
) -> None:
    assert resolved("auto", nodes, emulating)[0] == "fp32"


def test_an_explicit_bf16_that_will_crawl_is_kept_and_warned_of(resolved: Any) -> None:
    kept, printed = resolved("bf16", 5, 4)
    assert kept == "bf16"
    assert "4 (10.0.0.0, 10.0.0.1, 10.0.0.2, ...) of 5 nodes only emulate bf16" in printed


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_an_explicit_choice_that_suits_is_not_commented(resolved: Any, wanted: str) -> None:
    assert resolved(wanted, 2, 0) == (wanted, "")
