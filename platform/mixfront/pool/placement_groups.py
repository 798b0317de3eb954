"""Placement groups that a dead Train controller left reserved.

Ray frees a group when its creator actor *and* its job are dead: one whose controller was killed
stays reserved for as long as the search lives, and with it the lane's resources.
"""

import importlib
from typing import Any

import ray
from ray._private.state import state as cluster_state
from ray._raylet import PlacementGroupID
from ray.util.placement_group import PlacementGroup, remove_placement_group

_Row: Any = importlib.import_module("ray.core.generated.gcs_pb2").PlacementGroupTableData


def remove_groups(groups: list[PlacementGroup]) -> None:
    """Give groups back; those that are gone already do no harm."""
    for group in groups:
        remove_placement_group(group)


def remove_leaked() -> int:
    """Give back every group of this driver whose creator was an actor and is dead.

    Workers record their group when they start, but a controller may die before it has any.
    Ray's public tables do not tell a group's creator, hence the look into its own state.

    Returns:
        How many groups with a living creator are left.
    """
    mine = _groups_of_actors()
    remove_groups([_handle(group) for group in mine if group.creator_actor_dead])
    return sum(not group.creator_actor_dead for group in mine)


def _groups_of_actors() -> list[Any]:
    job = bytes.fromhex(ray.get_runtime_context().get_job_id())
    table = cluster_state._connect_and_get_accessor().get_placement_group_table()
    groups = [_Row.FromString(row) for row in table]
    return [
        group
        for group in groups
        if group.creator_job_id == job
        and group.creator_actor_id.strip(b"\xff")  # all ones: made by the driver itself
        and group.state != _Row.REMOVED
    ]


def _handle(group: Any) -> PlacementGroup:
    return PlacementGroup(PlacementGroupID(group.placement_group_id))
