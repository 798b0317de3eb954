"""One Ray cluster for one command: the one that RAY_ADDRESS names, or a local one."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

from mixfront.exceptions import LaneError
from mixfront.lanes.config import TrialConfig

NAMESPACE = "mixfront"


@dataclass(frozen=True)
class Cluster:
    """What a search has to work with."""

    address: str
    local: bool
    num_lanes: int


@contextmanager
def connect(trial: TrialConfig) -> Iterator[Cluster]:
    """Join the cluster at RAY_ADDRESS, or start one here and end it afterwards.

    A local cluster gets one logical CPU more than the machine has, or than one lane needs:
    the lanes' bundles and Tune's proxies must fit beside each other.

    Raises:
        LaneError: If the cluster cannot be reached, or holds not even one lane.
    """
    address = os.environ.get("RAY_ADDRESS")
    _silence_ray()
    try:
        if address:
            ray.init(address=address, namespace=NAMESPACE, **_QUIET)
        else:
            cpus = max(os.cpu_count() or 1, int(trial.workers * trial.cpus_per_worker + 0.99))
            ray.init(
                address="local",
                num_cpus=cpus + 1,
                namespace=NAMESPACE,
                include_dashboard=False,
                **_QUIET,
            )
    except Exception as problem:  # Ray raises of every kind: a node that times out, a full disk
        raise _start_error(address, problem) from problem
    gcs = str(ray.get_runtime_context().gcs_address)
    os.environ["RAY_ADDRESS"] = gcs  # Ray Train's clean-up asks for it
    try:
        yield Cluster(address=gcs, local=address is None, num_lanes=_num_lanes(trial))
    finally:
        ray.shutdown()
        if address is None:
            os.environ.pop("RAY_ADDRESS", None)
        else:
            os.environ["RAY_ADDRESS"] = address


def _start_error(address: str | None, problem: Exception) -> LaneError:
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    if address:
        return LaneError(
            f"cannot reach Ray at {address!r}: {lines[0]}; check RAY_ADDRESS, or unset it to "
            "work on this machine"
        )
    return LaneError(
        f"Ray did not start on this machine: {lines[0]}; try again when it is less busy, and see "
        "`mixfront doctor` or the logs in /tmp/ray/session_latest/logs"
    )


_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def _silence_ray() -> None:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")


def _num_lanes(trial: TrialConfig) -> int:
    """How many lanes fit into the cluster at once.

    Raises:
        LaneError: If none does.
    """
    have = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray has no hint there
    by_cpu = (have.get("CPU", 0) - 1) / (trial.workers * trial.cpus_per_worker)
    by_gpu = have.get("GPU", 0) / (trial.workers * trial.gpus_per_worker or 1)
    lanes = int(min(by_cpu, by_gpu) if trial.gpus_per_worker else by_cpu)
    if lanes < 1:
        raise LaneError(
            f"a trial needs {trial.workers} workers with {trial.cpus_per_worker:g} CPUs and "
            f"{trial.gpus_per_worker:g} GPUs each and one CPU is kept free, but the cluster has "
            f"{have.get('CPU', 0):g} CPUs and {have.get('GPU', 0):g} GPUs: "
            "lower trial.workers, or add nodes"
        )
    return lanes
