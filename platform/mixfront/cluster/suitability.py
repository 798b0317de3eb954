"""Checks, before a search is submitted, that the cluster has the versions and devices for it.

Otherwise only the log of a job that failed a minute later would say so.
"""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from mixfront.exceptions import ClusterError
from mixfront.lanes.config import TrialConfig
from mixfront.pool.packing import NodeSize, fitting_lanes

MIN_PYTHON = (3, 11)


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """What a cluster's dashboard says about it; empty or None for what it does not say."""

    ray_version: str | None = None
    python_version: str | None = None
    nodes: tuple[dict[str, float], ...] = ()  # resources of each living node
    is_fixed: bool = False  # no autoscaler can add nodes

    @classmethod
    def read(cls, client: Any) -> "ClusterFacts":
        """Ask a dashboard, through Ray's `JobSubmissionClient`."""
        versions = _get(client, "/api/v0/cluster_metadata")
        nodes = _get(client, "/api/v0/nodes?detail=1").get("result", {}).get("result", [])
        report = _get(client, "/api/cluster_status").get("clusterStatus") or {}
        types = (report.get("autoscalerReport") or {}).get("nodeTypeMapping") or {}
        return cls(
            ray_version=versions.get("rayVersion"),
            python_version=versions.get("pythonVersion"),
            nodes=tuple(node["resources_total"] for node in nodes if node["state"] == "ALIVE"),
            # Without node types of its own, Ray's monitor makes one up for every node.
            is_fixed=bool(types) and all(kind == f"node_{node}" for node, kind in types.items()),
        )


def refuse_unsuitable(facts: ClusterFacts, trial: TrialConfig, address: str) -> None:
    """Check that a cluster can run a search's trials.

    Args:
        facts: What is known about the cluster.
        trial: The search's workers.
        address: The cluster's address, for the message.

    Raises:
        ClusterError: If its versions do not fit, or no lane fits and it cannot grow.
    """
    _refuse_versions(facts, address)
    if facts.is_fixed and facts.nodes and not fitting_lanes(trial, map(NodeSize.of, facts.nodes)):
        total = {key: sum(node.get(key, 0) for node in facts.nodes) for key in ("CPU", "GPU")}
        raise ClusterError(
            f"a trial needs {trial.workers} workers with {trial.cpus_per_worker:g} CPUs and "
            f"{trial.gpus_per_worker:g} GPUs each, but the cluster at "
            f"{address} has {len(facts.nodes)} nodes with {total['CPU']:g} CPUs and "
            f"{total['GPU']:g} GPUs in all, and cannot grow; change trial.workers, "
            "trial.cpus_per_worker or trial.gpus_per_worker, or add nodes"
        )


def _refuse_versions(facts: ClusterFacts, address: str) -> None:
    ours = version("ray")
    if facts.ray_version is not None and _minor(facts.ray_version) != _minor(ours):
        raise ClusterError(
            f"the cluster at {address} runs Ray {facts.ray_version}, but this version of mixfront "
            f"needs Ray {'.'.join(map(str, _minor(ours)))}; install that on the cluster"
        )
    if facts.python_version is not None and _minor(facts.python_version) < MIN_PYTHON:
        raise ClusterError(
            f"the cluster at {address} runs Python {facts.python_version}, but mixfront needs "
            f"Python {'.'.join(map(str, MIN_PYTHON))} or newer; install that on the cluster"
        )


def _minor(version_text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version_text.split(".")[:2])


def _get(client: Any, path: str) -> dict[str, Any]:
    response = client._do_request("GET", path)
    if response.status_code != 200:  # another version of Ray
        return {}
    data = response.json().get("data")
    return data if isinstance(data, dict) else {}
