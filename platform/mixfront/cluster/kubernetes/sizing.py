"""The number and size of worker pods, from the `trial:` section of a spec."""

import math
from dataclasses import dataclass

from mixfront.exceptions import UsageError
from mixfront.lanes.config import TrialConfig

DEFAULT_MAX_LANES = 4  # where the spec sets no maximum
RAY_MIB = 2048  # Ray's own processes on a worker pod
WORKER_MIB = {"cpu": 4096, "gpu": 16384}  # one rank: torch, its batches, tables in host memory
HEAD_MIB = 4096  # Ray's own processes on the head, and the driver
LANE_MIB = 768  # two processes of 250 MB each on the head for every lane, and Tune's actor


@dataclass(frozen=True, kw_only=True)
class PodSize:
    """A worker pod's share of a lane, and how many pods there are."""

    workers: int  # ranks on one pod
    cpus: float
    gpus: int
    memory_mib: int
    min_pods: int
    max_pods: int

    @property
    def is_elastic(self) -> bool:
        """Whether the number of pods may change."""
        return self.min_pods < self.max_pods


def lane_range(trial: TrialConfig) -> tuple[int, int]:
    """The least and the greatest number of lanes of a search."""
    low = trial.lanes.min
    return low, trial.lanes.max or max(low, DEFAULT_MAX_LANES)


def pod_size(
    trial: TrialConfig,
    *,
    workers_per_pod: int | None = None,
    memory_per_worker_mib: int | None = None,
    min_pods: int | None = None,
    max_pods: int | None = None,
) -> PodSize:
    """The size and number of worker pods.

    By default, one pod holds one lane, so that its ranks share a node; with a fraction of a GPU
    per worker it holds as many ranks as share one GPU.

    Raises:
        UsageError: If the pods would have a fraction of a GPU, hold no lane, or are more at least
            than at most.
    """
    workers = workers_per_pod or _default_workers(trial)
    gpus = workers * trial.gpus_per_worker
    if not math.isclose(gpus, round(gpus)):
        raise UsageError(
            f"a pod with {workers} workers of {trial.gpus_per_worker:g} GPUs would have {gpus:g} "
            "GPUs, and Kubernetes gives whole ones; choose another --workers-per-pod"
        )
    low, high = (math.ceil(lanes * trial.workers / workers) for lanes in lane_range(trial))
    low = min(low, max_pods) if min_pods is None and max_pods is not None else low
    low = low if min_pods is None else min_pods
    high = max(high, low) if max_pods is None else max_pods
    if low > high:
        raise UsageError(f"--min-workers is {low}, but --max-workers is {high}; swap them")
    if high * workers < trial.workers:
        raise UsageError(
            f"with --max-workers {high} and --workers-per-pod {workers} there is no room for a "
            f"trial of {trial.workers} workers; raise one of them"
        )
    per_worker = memory_per_worker_mib or WORKER_MIB["gpu" if gpus else "cpu"]
    return PodSize(
        workers=workers,
        cpus=workers * trial.cpus_per_worker,
        gpus=round(gpus),
        memory_mib=RAY_MIB + workers * per_worker,
        min_pods=low,
        max_pods=high,
    )


def head_memory_mib(trial: TrialConfig, size: PodSize) -> int:
    """Memory of the head pod for the processes of as many lanes as there can be."""
    return HEAD_MIB + LANE_MIB * max_lanes(trial, size)


def max_lanes(trial: TrialConfig, size: PodSize) -> int:
    """The number of lanes on the greatest number of pods."""
    return size.max_pods * size.workers // trial.workers


def _default_workers(trial: TrialConfig) -> int:
    if 0 < trial.gpus_per_worker < 1:
        return max(1, math.floor(1 / trial.gpus_per_worker + 1e-9))
    return trial.workers
