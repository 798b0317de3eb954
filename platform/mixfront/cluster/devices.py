"""The nodes of a Ray cluster, and whether their devices support bf16."""

from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mixfront.lanes.config import TrialConfig
from mixfront.training.native_bf16 import has_native_bf16

RESPONSE_S = 60.0  # time for a node to start a process and import torch
GPU_SHARE = 0.01  # just enough for a task to see a GPU


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node with room for a lane's worker."""

    node_id: str
    name: str  # its address, for messages


def lane_nodes(trial: TrialConfig) -> list[Node]:
    """The live nodes with enough resources for a trial's worker."""
    rows: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # untyped in Ray
    return [
        Node(node_id=row["NodeID"], name=row["NodeManagerAddress"])
        for row in rows
        if row["Alive"]
        and row["Resources"].get("CPU", 0) >= trial.cpus_per_worker
        and row["Resources"].get("GPU", 0) >= trial.gpus_per_worker
    ]


def nodes_without_bf16(nodes: list[Node], trial: TrialConfig) -> list[str]:
    """Names of the nodes whose devices only emulate bf16, or that did not respond in time."""
    device = "cuda" if trial.gpus_per_worker else "cpu"
    probe: Any = ray.remote(has_native_bf16)
    results = {
        node.name: probe.options(
            num_cpus=0,
            num_gpus=GPU_SHARE if trial.gpus_per_worker else 0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
        ).remote(device)
        for node in nodes
    }
    ray.wait(list(results.values()), num_returns=max(1, len(results)), timeout=RESPONSE_S)
    return [name for name, result in results.items() if not _is_true(result)]


def _is_true(result: Any) -> bool:
    try:
        return bool(ray.get(result, timeout=0.1))
    except RayError:
        ray.cancel(result)
        return False
