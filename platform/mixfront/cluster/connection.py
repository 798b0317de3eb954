"""Connects a command to a Ray cluster: the one at RAY_ADDRESS, or a local one."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

from mixfront.cluster.handshake import shake_hands
from mixfront.exceptions import LaneError
from mixfront.lanes.config import TrialConfig
from mixfront.pool.nodes import can_grow, present_nodes
from mixfront.pool.packing import NodeSize, fitting_lanes

NAMESPACE = "mixfront"


@dataclass(frozen=True)
class Cluster:
    """The cluster that a search runs on."""

    address: str
    local: bool
    num_lanes: int  # that the nodes have room for


@contextmanager
def connect(trial: TrialConfig) -> Iterator[Cluster]:
    """Connect to the cluster at RAY_ADDRESS, or start a local one and stop it afterwards.

    A local cluster gets as many logical CPUs as the machine has, or one lane needs if that is
    more. Only the lanes' workers take CPUs.

    Raises:
        LaneError: If the cluster cannot be reached, or is too small for a lane.
    """
    address = os.environ.get("RAY_ADDRESS")
    if address:
        shake_hands(address)
    _silence_ray()
    try:
        if address:
            ray.init(address=address, namespace=NAMESPACE, **_QUIET)
        else:
            ray.init(
                address="local",
                num_cpus=_local_cpus(trial),
                namespace=NAMESPACE,
                include_dashboard=False,
                **_QUIET,
            )
    except Exception as error:  # Ray raises many kinds, e.g. for a node timeout or a full disk
        raise _start_error(address, error) from error
    gcs = str(ray.get_runtime_context().gcs_address)
    os.environ["RAY_ADDRESS"] = gcs  # Ray Train's cleanup reads it
    try:
        yield Cluster(address=gcs, local=address is None, num_lanes=_num_lanes(trial))
    finally:
        ray.shutdown()
        if address is None:
            os.environ.pop("RAY_ADDRESS", None)
        else:
            os.environ["RAY_ADDRESS"] = address


def check_cluster(trial: TrialConfig) -> None:
    """Check that the cluster can be reached and has room for a lane, or could grow.

    A search is refused before it takes its name and reads its data.

    Raises:
        LaneError: If it cannot be reached, or is too small.
    """
    if os.environ.get("RAY_ADDRESS"):
        with connect(trial):
            return
    import torch  # takes seconds

    machine = NodeSize(cpus=_local_cpus(trial), gpus=torch.cuda.device_count())
    if not fitting_lanes(trial, [machine]):
        raise _too_small(trial, [machine])


def _local_cpus(trial: TrialConfig) -> int:
    return max(os.cpu_count() or 1, int(trial.workers * trial.cpus_per_worker + 0.99))


def _start_error(address: str | None, error: Exception) -> LaneError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if address:
        return LaneError(
            f"cannot reach Ray at {address!r}: {lines[0]}; check RAY_ADDRESS, or unset it to "
            "use this machine"
        )
    return LaneError(
        f"Ray did not start on this machine: {lines[0]}; try again when it is less busy, or check "
        "`mixfront doctor` and the logs in /tmp/ray/session_latest/logs"
    )


_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def _silence_ray() -> None:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")


def _num_lanes(trial: TrialConfig) -> int:
    """Number of lanes that the nodes have room for; 0 if the autoscaler must add nodes first.

    Raises:
        LaneError: If no lane fits, and the cluster cannot grow.
    """
    nodes = present_nodes()
    lanes = fitting_lanes(trial, nodes)
    if lanes < 1 and not can_grow():
        raise _too_small(trial, nodes)
    return lanes


def _too_small(trial: TrialConfig, nodes: Sequence[NodeSize]) -> LaneError:
    biggest = max(nodes, key=lambda node: (node.gpus, node.cpus), default=NodeSize(cpus=0))
    which = "the only node" if len(nodes) == 1 else f"the biggest of {len(nodes)} nodes"
    return LaneError(
        f"a trial needs {trial.workers} workers with {trial.cpus_per_worker:g} CPUs and "
        f"{trial.gpus_per_worker:g} GPUs each, but {which} has {biggest.cpus:g} CPUs and "
        f"{biggest.gpus:g} GPUs; lower trial.workers or what each worker needs, or add nodes"
    )
