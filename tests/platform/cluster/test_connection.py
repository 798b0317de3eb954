"""Number of lanes on a cluster, and errors when it cannot be used."""

import pytest
import ray

from mixfront.cluster.connection import _num_lanes, connect
from mixfront.exceptions import LaneError
from mixfront.lanes.config import TrialConfig


@pytest.mark.parametrize(
    ("resources", "trial", "lanes"),
    [
        ({"CPU": 3.0}, TrialConfig(workers=2), 1),
        ({"CPU": 9.0}, TrialConfig(workers=2), 4),
        ({"CPU": 9.0}, TrialConfig(workers=2, cpus_per_worker=2), 2),
        ({"CPU": 65.0, "GPU": 8.0}, TrialConfig(workers=2, gpus_per_worker=1), 4),
        ({"CPU": 5.0, "GPU": 8.0}, TrialConfig(workers=2, gpus_per_worker=1), 2),
        ({"CPU": 65.0, "GPU": 2.0}, TrialConfig(workers=1, gpus_per_worker=0.5), 4),
    ],
)
def test_the_number_of_lanes_is_what_fits(
    resources: dict[str, float],
    trial: TrialConfig,
    lanes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: resources)
    assert _num_lanes(trial) == lanes


def test_a_cluster_without_room_for_a_lane_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0})
    with pytest.raises(LaneError, match=r"1 GPUs each, .* 0 GPUs; lower trial.workers"):
        _num_lanes(TrialConfig(workers=2, gpus_per_worker=1))


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
