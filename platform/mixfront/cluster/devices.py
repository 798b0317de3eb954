"""What the nodes of a Ray cluster compute with."""

from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mixfront.lanes.config import TrialConfig
from mixfront.training.native_bf16 import has_native_bf16

ANSWER_S = 60.0  # for a node to start a process that imports torch
GPU_SHARE = 0.01  # of a GPU, so that the question sees one


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node that workers of a lane fit on."""

    node_id: str
    name: str  # address, for people


def lane_nodes(trial: TrialConfig) -> list[Node]:
    """The living nodes on which a worker of a trial fits."""
    rows: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray has no hint
    return [
        Node(node_id=row["NodeID"], name=row["NodeManagerAddress"])
        for row in rows
        if row["Alive"]
        and row["Resources"].get("CPU", 0) >= trial.cpus_per_worker
        and row["Resources"].get("GPU", 0) >= trial.gpus_per_worker
    ]


def nodes_without_bf16(nodes: list[Node], trial: TrialConfig) -> list[str]:
    """Names of the nodes whose devices only emulate bf16, or that did not say in time."""
    device = "cuda" if trial.gpus_per_worker else "cpu"
    ask: Any = ray.remote(has_native_bf16)
    answers = {
        node.name: ask.options(
            num_cpus=0,
            num_gpus=GPU_SHARE if trial.gpus_per_worker else 0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
        ).remote(device)
        for node in nodes
    }
    ray.wait(list(answers.values()), num_returns=max(1, len(answers)), timeout=ANSWER_S)
    return [name for name, answer in answers.items() if not _is_true(answer)]


def _is_true(answer: Any) -> bool:
    try:
        return bool(ray.get(answer, timeout=0.1))
    except RayError:
        ray.cancel(answer)
        return False
