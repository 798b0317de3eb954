"""The number and size of worker pods."""

from typing import Any

import pytest

from mixfront.cluster.kubernetes.sizing import (
    DEFAULT_MAX_LANES,
    head_memory_mib,
    lane_range,
    max_lanes,
    pod_size,
)
from mixfront.exceptions import UsageError
from mixfront.lanes.config import TrialConfig

EIGHT_GPUS = TrialConfig(workers=8, cpus_per_worker=4, gpus_per_worker=1)


def test_a_pod_holds_a_lane() -> None:
    size = pod_size(EIGHT_GPUS)
    assert (size.workers, size.cpus, size.gpus) == (8, 32, 8)
    assert size.memory_mib == 2048 + 8 * 16384
    assert (size.min_pods, size.max_pods) == (1, DEFAULT_MAX_LANES)


def test_a_lane_may_span_pods() -> None:
    size = pod_size(EIGHT_GPUS, workers_per_pod=4)
    assert (size.cpus, size.gpus, size.min_pods, size.max_pods) == (16, 4, 2, 8)
    assert max_lanes(EIGHT_GPUS, size) == 4


def test_lanes_that_share_a_gpu_share_a_pod() -> None:
    trial = TrialConfig(gpus_per_worker=0.25)
    size = pod_size(trial)
    assert (size.workers, size.gpus, size.min_pods, size.max_pods) == (4, 1, 1, 1)
    assert max_lanes(trial, size) == 4


def test_the_limits_of_the_command_line_win() -> None:
    assert (pod_size(EIGHT_GPUS, max_pods=9).min_pods, pod_size(EIGHT_GPUS).is_elastic) == (
        1,
        True,
    )
    assert not pod_size(EIGHT_GPUS, min_pods=5, max_pods=5).is_elastic
    assert pod_size(EIGHT_GPUS, min_pods=9).max_pods == 9
    assert pod_size(EIGHT_GPUS, min_pods=0).min_pods == 0


def test_memory_follows_ranks_and_lanes() -> None:
    size = pod_size(EIGHT_GPUS, memory_per_worker_mib=1024, max_pods=10)
    assert size.memory_mib == 2048 + 8 * 1024
    assert head_memory_mib(EIGHT_GPUS, size) == 4096 + 10 * 768


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ({"min": 2, "max": 6}, (2, 6)),
        ({"min": 3, "max": None}, (3, 4)),
        ({"min": 9, "max": None}, (9, 9)),
    ],
)
def test_the_spec_may_say_how_many_lanes(lanes: dict[str, Any], expected: tuple[int, int]) -> None:
    assert lane_range(TrialConfig.model_validate({"lanes": lanes})) == expected


def test_pods_that_hold_no_lane_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no room for a trial of 8 workers"):
        pod_size(EIGHT_GPUS, workers_per_pod=4, max_pods=1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"workers_per_pod": 3}, r"a pod with 3 workers of 0.5 GPUs would have 1.5 GPUs"),
        ({"min_pods": 5, "max_pods": 2}, "--min-workers is 5, but --max-workers is 2"),
    ],
)
def test_mistakes(arguments: dict[str, int], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        pod_size(TrialConfig(gpus_per_worker=0.5), **arguments)
