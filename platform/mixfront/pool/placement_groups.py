"""Removes placement groups that a dead Train controller left reserved.

Ray frees a group only when its creator actor *and* its job are dead. The group of a killed
controller, and with it the lane's resources, would stay reserved until the search ends. Also says
whether a lane waits for its group.
"""

import importlib
from typing import Any

import ray
from ray._private.state import state as cluster_state
from ray._raylet import JobID, PlacementGroupID
from ray.util.placement_group import PlacementGroup, remove_placement_group

_messages: Any = importlib.import_module("ray.core.generated.gcs_pb2")
_Row, _ActorRow = _messages.PlacementGroupTableData, _messages.ActorTableData


def remove_groups(groups: list[PlacementGroup]) -> None:
    """Remove placement groups; those already gone are ignored."""
    for group in groups:
        remove_placement_group(group)


def remove_leaked() -> int:
    """Remove every group of this driver that was created by an actor that is dead.

    Workers record their group when they start, but a controller may die before it has workers.
    Ray's public tables do not show a group's creator, so this reads Ray's internal state.

    Returns:
        Number of remaining groups, whose creators are alive.
    """
    groups = _groups_of_actors()
    remove_groups([_handle(group) for group in groups if group.creator_actor_dead])
    return sum(not group.creator_actor_dead for group in groups)


def has_pending_group() -> bool:
    """Whether a Train run that this process started waits for its placement group."""
    controllers = _owned_actors()
    return any(
        group.creator_actor_id in controllers and group.state in (_Row.PENDING, _Row.RESCHEDULING)
        for group in _groups_of_actors()
    )


def _owned_actors() -> set[bytes]:
    """Ids of the live actors that this process has created."""
    context = ray.get_runtime_context()
    worker, job = bytes.fromhex(context.get_worker_id()), JobID.from_hex(context.get_job_id())
    table = cluster_state._connect_and_get_accessor().get_actor_table(job, "ALIVE")
    actors = [_ActorRow.FromString(row) for row in table]
    return {actor.actor_id for actor in actors if actor.owner_address.worker_id == worker}


def _groups_of_actors() -> list[Any]:
    job = bytes.fromhex(ray.get_runtime_context().get_job_id())
    table = cluster_state._connect_and_get_accessor().get_placement_group_table()
    groups = [_Row.FromString(row) for row in table]
    return [
        group
        for group in groups
        if group.creator_job_id == job
        and group.creator_actor_id.strip(b"\xff")  # all ones: created by the driver itself
        and group.state != _Row.REMOVED
    ]


def _handle(group: Any) -> PlacementGroup:
    return PlacementGroup(PlacementGroupID(group.placement_group_id))
