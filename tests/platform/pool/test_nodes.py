"""The nodes of a Ray cluster."""

from types import SimpleNamespace

import pytest

from mixfront.lanes.config import LaneLimits, TrialConfig
from mixfront.pool import nodes
from mixfront.pool.nodes import can_grow, target_lanes
from mixfront.pool.packing import NodeSize


@pytest.mark.parametrize(
    ("types", "expected"),
    [((), False), (("node_a1",), False), (("headgroup",), True), (("node_a1", "gpu"), True)],
)
def test_a_cluster_with_node_types_can_grow(
    types: tuple[str, ...], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [SimpleNamespace(ray_node_type_name=name, node_id="a1") for name in types]
    status = SimpleNamespace(active_nodes=found[:1], idle_nodes=found[1:])
    monkeypatch.setattr(nodes, "get_cluster_status", lambda _address: status)
    monkeypatch.setattr("ray.get_runtime_context", lambda: SimpleNamespace(gcs_address=""))
    assert can_grow() is expected


@pytest.mark.parametrize(("max_lanes", "expected"), [(None, 4), (3, 3), (9, 4)])
def test_as_many_lanes_as_the_nodes_have_room_for(
    max_lanes: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "present_nodes", lambda: [NodeSize(cpus=3)] * 4)
    trial = TrialConfig(workers=1, cpus_per_worker=2)
    assert target_lanes(trial, max_lanes) == expected


@pytest.mark.parametrize(("grows", "expected"), [(False, 2), (True, 5)])
def test_lanes_that_wait_for_nodes(
    grows: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "present_nodes", list)
    monkeypatch.setattr(nodes, "can_grow", lambda: grows)
    assert target_lanes(TrialConfig(lanes=LaneLimits(min=2, max=5)), None) == expected
