"""The nodes of a Ray cluster."""

import importlib
from typing import Any

import pytest

from mixfront.lanes.config import LaneLimits, TrialConfig
from mixfront.pool import nodes
from mixfront.pool.nodes import addable_nodes, target_lanes
from mixfront.pool.packing import NodeSize, fitting_lanes

PROTOCOL: Any = importlib.import_module("ray.core.generated.autoscaler_pb2")
CONFIG = "mixfront.pool.nodes.cluster_state.get_cluster_config"


def test_node_types_that_an_autoscaler_may_add(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [
        PROTOCOL.NodeGroupConfig(name="gpu", resources={"CPU": 8, "GPU": 2}, max_count=3),
        PROTOCOL.NodeGroupConfig(name="none", resources={"CPU": 64}, max_count=0),
        PROTOCOL.NodeGroupConfig(name="cpu", resources={"CPU": 4}, max_count=-1),
    ]
    config = PROTOCOL.ClusterConfig(node_group_configs=groups)
    monkeypatch.setattr(CONFIG, lambda: config)
    gpu, cpu = addable_nodes()
    assert gpu == NodeSize(cpus=8, gpus=2, count=3)
    assert fitting_lanes(TrialConfig(workers=1000, cpus_per_worker=4), [cpu]) >= 1


def test_a_cluster_without_autoscaler_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONFIG, lambda: None)
    assert addable_nodes() == []


@pytest.mark.parametrize(("max_lanes", "expected"), [(None, 4), (3, 3), (9, 4)])
def test_as_many_lanes_as_the_nodes_have_room_for(
    max_lanes: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "present_nodes", lambda: [NodeSize(cpus=3)] * 4)
    trial = TrialConfig(workers=1, cpus_per_worker=2)
    assert target_lanes(trial, max_lanes) == expected


def test_lanes_up_to_the_minimum_wait_for_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "present_nodes", list)
    assert target_lanes(TrialConfig(lanes=LaneLimits(min=2)), None) == 2
