"""Errors when a cluster cannot be used."""

import pytest
import ray

from mixfront.cluster import connection
from mixfront.cluster.connection import _num_lanes, connect
from mixfront.exceptions import LaneError
from mixfront.lanes.config import TrialConfig
from mixfront.pool.packing import NodeSize


def test_a_cluster_without_room_for_a_lane_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [NodeSize(cpus=4), NodeSize(cpus=8, gpus=1)]
    monkeypatch.setattr(connection, "present_nodes", lambda: nodes)
    monkeypatch.setattr(connection, "can_grow", lambda: False)
    sentence = "2 workers with 1 CPUs and 2 GPUs each, but the biggest of 2 nodes has 8 CPUs and 1"
    with pytest.raises(LaneError, match=sentence):
        _num_lanes(TrialConfig(workers=2, gpus_per_worker=2))
    assert _num_lanes(TrialConfig(gpus_per_worker=1)) == 1


def test_a_cluster_that_can_grow_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "present_nodes", lambda: [NodeSize(cpus=1)])
    monkeypatch.setattr(connection, "can_grow", lambda: True)
    assert _num_lanes(TrialConfig(workers=2, gpus_per_worker=1)) == 0


def test_an_unreachable_cluster_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_options: object) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with (
        pytest.raises(LaneError, match=r"cannot reach Ray at 'auto': connection refused"),
        connect(TrialConfig()),
    ):
        pass


def test_a_local_ray_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(**_options: object) -> None:
        raise RuntimeError("The node timed out\nwith more lines")

    monkeypatch.setattr(ray, "init", time_out)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    sentence = r"^Ray did not start on this machine: The node timed out; try again .*less busy"
    with pytest.raises(LaneError, match=sentence), connect(TrialConfig()):
        pass
