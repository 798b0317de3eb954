"""The nodes of the Ray cluster: what is there, what an autoscaler could add, what is leaving."""

from typing import Any

import ray
from ray._private.state import state as cluster_state

from mixfront.lanes.config import TrialConfig
from mixfront.pool.packing import NodeSize, fitting_lanes


def present_nodes() -> list[NodeSize]:
    """The live nodes."""
    rows: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # untyped in Ray
    return [NodeSize.of(row["Resources"]) for row in rows if row["Alive"]]


def draining_nodes() -> frozenset[str]:
    """Ids of the nodes that are about to leave, as an autoscaler or a cloud has announced."""
    return frozenset(cluster_state.get_draining_nodes())


def target_lanes(trial: TrialConfig, max_lanes: int | None) -> int:
    """Number of lanes to have: as many as the nodes have room for, within the limits.

    Lanes beyond what fits, up to `lanes.min`, wait for nodes.
    """
    target = max(fitting_lanes(trial, present_nodes()), trial.lanes.min)
    return target if max_lanes is None else min(target, max_lanes)
