"""How many lanes fit on the nodes of a Ray cluster; imports no Ray."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mixfront.lanes.config import TrialConfig

_ROUNDING = 1e-6  # Ray counts resources in units of 1/10,000


@dataclass(frozen=True, kw_only=True)
class NodeSize:
    """The resources of a node that is there, or that an autoscaler could add."""

    cpus: float
    gpus: float = 0.0
    count: int = 1

    @classmethod
    def of(cls, resources: Mapping[str, float], count: int = 1) -> "NodeSize":
        """The size of a node with these Ray resources."""
        return cls(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0), count=count)


def fitting_lanes(trial: TrialConfig, nodes: Iterable[NodeSize]) -> int:
    """Number of lanes that fit at once, if nothing else runs on the nodes.

    A worker needs one node; the workers of a lane may be on several, as Ray Train's strategy PACK
    allows. So 4 nodes of 3 CPUs have room for 4 workers of 2 CPUs, not for 6.
    """
    return sum(_fitting_workers(trial, node) for node in nodes) // trial.workers


def _fitting_workers(trial: TrialConfig, node: NodeSize) -> int:
    workers = int(node.cpus / trial.cpus_per_worker + _ROUNDING)
    gpus = trial.gpus_per_worker
    if 0 < gpus < 1:  # a worker cannot have parts of two GPUs
        workers = min(workers, int(node.gpus) * int(1 / gpus + _ROUNDING))
    elif gpus:
        workers = min(workers, int(node.gpus / gpus + _ROUNDING))
    return workers * node.count
