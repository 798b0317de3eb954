"""The nodes of the Ray cluster: what is there, what is leaving, whether it can grow."""

from typing import Any

import ray
from ray._private.state import state as cluster_state
from ray.autoscaler.v2.sdk import get_cluster_status

from mixfront.lanes.config import TrialConfig
from mixfront.pool.packing import NodeSize, fitting_lanes


def present_nodes() -> list[NodeSize]:
    """The live nodes."""
    rows: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # untyped in Ray
    return [NodeSize.of(row["Resources"]) for row in rows if row["Alive"]]


def can_grow() -> bool:
    """Whether an autoscaler with node types of its own could add nodes.

    Without one, Ray makes up a type for every node, named after the node's id.
    """
    status = get_cluster_status(ray.get_runtime_context().gcs_address)
    nodes = [*status.active_nodes, *status.idle_nodes]
    return any(node.ray_node_type_name != f"node_{node.node_id}" for node in nodes)


def draining_nodes() -> frozenset[str]:
    """Ids of the nodes that are about to leave, as an autoscaler or a cloud has announced."""
    return frozenset(cluster_state.get_draining_nodes())


def target_lanes(trial: TrialConfig, max_lanes: int | None) -> int:
    """Number of lanes to have: as many as the nodes have room for, within the limits.

    Lanes beyond what fits wait for nodes: up to `lanes.min`, or up to `lanes.max` if there is an
    autoscaler, which adds nodes for lanes that wait.
    """
    target = max(fitting_lanes(trial, present_nodes()), trial.lanes.min)
    if trial.lanes.max is not None and target < trial.lanes.max and can_grow():
        target = trial.lanes.max
    return target if max_lanes is None else min(target, max_lanes)
