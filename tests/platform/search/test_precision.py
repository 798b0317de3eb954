"""`precision: auto`, resolved for the devices of a fake cluster."""

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
    """Resolves a precision on nodes of which some only emulate bf16; (precision, output)."""

    def resolve(requested: str, nodes: int, emulating: int) -> tuple[str, str]:
        names = [Node(node_id=str(i), name=f"10.0.0.{i}") for i in range(nodes)]
        monkeypatch.setattr(precision, "lane_nodes", lambda _trial: names)
        monkeypatch.setattr(
            precision,
            "nodes_without_bf16",
            lambda all_nodes, _trial: [node.name for node in all_nodes[:emulating]],
        )
        store = RecordStore(str(tmp_path), "s")
        record = SearchRecord(
            search_id="s-1",
            name="s",
            spec=make_spec(training={"precision": requested}).dump(),
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


def test_auto_is_bf16_if_every_node_has_it(resolved: Any) -> None:
    assert resolved("auto", 3, 0) == ("bf16", "precision: bf16 (native on every lane's device)\n")


@pytest.mark.parametrize(("nodes", "emulating"), [(3, 1), (1, 1), (0, 0)])
def test_auto_is_fp32_if_a_node_lacks_bf16_or_no_node_is_up(
    resolved: Any, nodes: int, emulating: int
) -> None:
    assert resolved("auto", nodes, emulating)[0] == "fp32"


def test_an_explicit_but_emulated_bf16_is_kept_with_a_warning(resolved: Any) -> None:
    kept, output = resolved("bf16", 5, 4)
    assert kept == "bf16"
    assert "4 (10.0.0.0, 10.0.0.1, 10.0.0.2, ...) of 5 nodes only emulate bf16" in output


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_explicit_native_precision_prints_nothing(resolved: Any, precision: str) -> None:
    assert resolved(precision, 2, 0) == (precision, "")
