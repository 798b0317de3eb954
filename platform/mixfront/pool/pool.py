"""The driver's handle to the lanes of a search."""

import contextlib
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mixfront.exceptions import LaneError
from mixfront.lanes import LaneSettings, SessionFactory, TrialConfig
from mixfront.pool.actor import PoolActor
from mixfront.pool.lane import create_named
from mixfront.pool.status import LaneStatus
from mixfront.pool.train_run import RunPlan

__all__ = ["LanePool", "LaneStatus"]

_RESPONSE_S = 30.0


class LanePool:
    """Handle to a pool of lanes. The pool and everything it starts die with the driver.

    Args:
        name: Name of the pool's actor, by which trials find it.
        actor: Handle to that actor.
    """

    def __init__(self, name: str, actor: Any) -> None:
        self.name = name
        self._actor = actor

    @classmethod
    def start(
        cls,
        search_id: str,
        max_lanes: int | None,
        trial: TrialConfig,
        storage: str,
        session_factory: SessionFactory | None = None,
        settings: LaneSettings | None = None,
    ) -> "LanePool":
        """Start a pool; its lanes warm up in the background.

        Args:
            search_id: Part of every actor's name.
            max_lanes: Start at most this many lanes; None: as many as the nodes have room for,
                also when nodes join.
            trial: Resources and isolation of a trial.
            storage: URL that every node can reach; Ray's bookkeeping goes to `lanes/` below it.
            session_factory: Creates a trial's session; TrialSession by default.
            settings: Timeouts and intervals; by default from the trial's collective timeout.

        Raises:
            LaneError: If another driver is running this search.
        """
        settings = settings or LaneSettings.for_trial(trial)
        dump: Any = cloudpickle.dumps
        factory = dump(session_factory) if session_factory else None
        plan = RunPlan(
            lane=0,
            name=f"mixfront-{search_id}-lane-0",
            trial=trial,
            storage=f"{storage.rstrip('/')}/lanes",
            settings=settings,
            factory=factory,
        )
        name = f"mixfront-{search_id}-lanes"
        options = {"name": name, "num_cpus": 0, "scheduling_strategy": _this_node()}
        try:
            actor = create_named(PoolActor, options, plan, max_lanes)
        except ValueError as error:
            raise LaneError(
                f"the lanes of search {search_id!r} are in use by another driver; "
                "stop that driver first"
            ) from error
        actor.open.remote()
        return cls(name, actor)

    def release(self, trial_id: str) -> None:
        """End a trial's lease, if any; its lane is cleaned in the background."""
        self._call("release", trial_id)

    def abort(self, trial_id: str, reason: str) -> None:
        """Make a trial checkpoint and stop; it ends as interrupted."""
        self._call("abort", trial_id, reason)

    def abort_all(self, reason: str) -> None:
        """Abort every trial and refuse new leases."""
        self._call("abort_all", reason)

    def status(self) -> list[LaneStatus]:
        """The status of every lane, by number."""
        states: list[LaneStatus] = self._call("status")
        return states

    def close(self, grace_s: float = 5.0) -> None:
        """Shut down all lanes within a few seconds; running trials end as interrupted."""
        with contextlib.suppress(RayActorError, GetTimeoutError):
            ray.get(self._actor.close.remote(grace_s), timeout=grace_s + 5.0)
        ray.kill(self._actor)

    def _call(self, method: str, *arguments: Any) -> Any:
        """Call the pool's actor.

        Raises:
            LaneError: If it is gone or does not respond.
        """
        try:
            return ray.get(getattr(self._actor, method).remote(*arguments), timeout=_RESPONSE_S)
        except (RayActorError, GetTimeoutError) as error:
            raise LaneError(
                f"the lane pool {self.name!r} does not respond ({type(error).__name__}); "
                "resume the search with `mixfront search resume`"
            ) from error


def _this_node() -> NodeAffinitySchedulingStrategy:
    """The driver's node; elsewhere, the pool could outlive the driver's node or die before it."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
