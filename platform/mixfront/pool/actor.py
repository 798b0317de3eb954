"""The actor behind a LanePool: creates the lanes, leases them, and cleans them between trials."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal

import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mixfront.lanes import LaneSettings
from mixfront.lanes.messages import LaneState
from mixfront.lanes.state_watch import StateWatch
from mixfront.pool.lane import LaneActor, create_named
from mixfront.pool.leases import LaneUse, Lease, Leases
from mixfront.pool.placement_groups import remove_groups, remove_leaked
from mixfront.pool.train_run import RunPlan

logger = logging.getLogger(__name__)

_WATCH_S = 5.0
_SWEEPS = 20  # attempts to remove leaked placement groups while the last controllers die


@dataclass(frozen=True, kw_only=True)
class LaneGrant:
    """A lane leased to a trial."""

    lane: str  # name of its actor
    token: int
    workers: int
    max_failures: int  # worker groups that may die before the trial fails
    lease_s: float  # seconds until the lease expires unless renewed


@dataclass(frozen=True, kw_only=True)
class LaneRefusal:
    """The pool will never lease a lane to this trial."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class LaneStatus:
    """The state of one lane, for display and for the searcher."""

    lane: int
    use: LaneUse
    warm: bool  # its worker group is up
    trial_id: str | None
    generation: int  # number of worker groups so far
    deaths: int  # number of worker groups that died
    last_error: str | None  # or the reason for the last renewal

    @property
    def available(self) -> bool:
        """Whether a trial can lease it now or in a moment."""
        return self.use in (LaneUse.FREE, LaneUse.CLEANING)


class PoolActor:
    """The Ray actor behind LanePool, which documents these methods.

    Args:
        plans: One per lane.
        isolation: "process" starts a fresh worker group for every lease.
        settings: Timeouts and intervals.
    """

    def __init__(
        self,
        plans: list[RunPlan],
        isolation: Literal["lane", "process"],
        settings: LaneSettings,
    ) -> None:
        self._plans = plans
        self._fresh = isolation == "process"
        self._settings = settings
        self._leases = Leases(len(plans), settings.lease_s)
        self._changes = StateWatch()
        self._lanes: list[Any] = [None] * len(plans)
        self._states: list[LaneState | None] = [None] * len(plans)
        self._aborted: dict[str, str] = {}
        self._opened = False
        self._closed: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Create the lanes; they warm up on their own."""
        for number in range(len(self._plans)):
            try:
                await self._create_lane(number)
                self._spawn(self._watch(number))
            except (ValueError, RayError) as error:
                self._leases.mark_broken(number, f"lane {number} could not be created: {error}")
        self._spawn(self._expire())
        self._opened = True
        await self._changes.notify()

    async def lease(self, trial_id: str, timeout_s: float) -> LaneGrant | LaneRefusal | None:
        """Lease a lane to a trial; None if no lane became free within `timeout_s`."""
        await self.release(trial_id)

        def take() -> Lease | LaneRefusal | None:
            refusal = self._refusal(trial_id)
            if refusal is not None or not self._opened:
                return refusal
            return self._leases.take(trial_id)

        lease: Lease | LaneRefusal | None = await self._changes.until(take, timeout_s)
        if not isinstance(lease, Lease):
            return lease
        lane = self._lanes[lease.lane]
        with contextlib.suppress(RayActorError):  # its watcher replaces it and the trial retries
            await lane.grant.remote(lease.token)
            await lane.open.remote()
        plan = self._plans[lease.lane]
        return LaneGrant(
            lane=plan.name,
            token=lease.token,
            workers=plan.trial.workers,
            max_failures=plan.trial.max_failures,
            lease_s=self._settings.lease_s,
        )

    async def renew(self, token: int) -> bool:
        """Extend a lease; False if it has ended."""
        return self._leases.renew(token)

    async def release(self, trial_id: str) -> None:
        """End a trial's lease, if any; its lane is cleaned in the background."""
        lease = self._leases.find(trial_id)
        if lease is not None and self._leases.drop(lease):
            self._spawn(self._clean(lease.lane))

    async def abort(self, trial_id: str, reason: str) -> None:
        """Make a trial checkpoint and stop, now or as soon as it starts."""
        self._aborted[trial_id] = reason
        lease = self._leases.find(trial_id)
        if lease is not None:
            with contextlib.suppress(RayActorError):
                await self._lanes[lease.lane].abort.remote(lease.token, reason)
        await self._changes.notify()

    async def abort_all(self, reason: str) -> None:
        """Abort every trial that holds a lane, and refuse new leases."""
        self._closed = self._closed or reason
        leases = [self._leases.lease_of(number) for number in range(len(self._plans))]
        for lease in leases:
            if lease is not None:
                await self.abort(lease.trial_id, reason)
        await self._changes.notify()

    async def status(self) -> list[LaneStatus]:
        """The status of every lane, by number."""
        return [self._status(number) for number in range(len(self._plans))]

    async def close(self, grace_s: float) -> None:
        """Shut down every lane; kill the lanes that are still alive after `grace_s`."""
        await self.abort_all("the lane pool is closing")
        lanes = range(len(self._plans))
        await asyncio.gather(*(self._shut_down(number, grace_s) for number in lanes))
        for _ in range(_SWEEPS):
            if remove_leaked() == 0:
                return
            await asyncio.sleep(0.2)

    # -- internals

    async def _create_lane(self, number: int) -> None:
        plan = self._plans[number]
        node = ray.get_runtime_context().get_node_id()
        options = {
            "name": plan.name,
            "num_cpus": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        self._lanes[number] = await asyncio.to_thread(create_named, LaneActor, options, plan)
        if not self._fresh:
            await self._lanes[number].open.remote()

    async def _watch(self, number: int) -> None:
        """Track a lane's state; replace its actor if it dies, drop the lane if it breaks."""
        deaths = 0
        while self._closed is None:
            state = self._states[number]
            try:
                state = await self._lanes[number].state.remote(
                    state.version if state else -1, _WATCH_S
                )
            except RayActorError as error:
                deaths += 1
                self._states[number] = None
                await self._replace(number, deaths, str(error).splitlines()[0])
                continue
            self._states[number] = state
            if state is not None and state.broken is not None:
                await self._drop_lane(number, state.broken)
                return

    async def _replace(self, number: int, deaths: int, error: str) -> None:
        if self._closed is not None:
            return
        if deaths > self._settings.max_consecutive_deaths:
            await self._drop_lane(number, f"the lane's actor died {deaths} times: {error}")
            return
        logger.warning("lane %d: its actor died, starting a new one: %s", number, error)
        lease = self._leases.lease_of(number)
        await self._create_lane(number)
        if lease is not None:
            await self._lanes[number].grant.remote(lease.token)
            await self._lanes[number].open.remote()

    async def _drop_lane(self, number: int, error: str) -> None:
        logger.error("lane %d: %s", number, error)
        self._leases.mark_broken(number, error)
        await self._changes.notify()
        await asyncio.sleep(1.0)  # lets waiting trials read the error
        await self._kill_lane(number)

    async def _kill_lane(self, number: int) -> None:
        """Kill a lane's processes; its Train controller dies with its owner, the lane's actor."""
        groups = await self._placement_groups(number)
        ray.kill(self._lanes[number])
        remove_groups(groups)

    async def _placement_groups(self, number: int) -> list[Any]:
        state = self._states[number]
        with contextlib.suppress(RayActorError, TimeoutError):
            state = await asyncio.wait_for(self._lanes[number].state.remote(), 2.0)
        return [m.placement_group for m in state.members[:1] if m.placement_group] if state else []

    async def _clean(self, number: int) -> None:
        token = self._leases.new_token()
        lane, settle_s = self._lanes[number], self._settings.settle_s
        try:
            if not self._fresh:
                await lane.clean.remote(token)
            elif not await lane.shut_down.remote(token, settle_s):
                await self._kill_lane(number)  # its watcher creates a new one
        except RayActorError:
            logger.info("lane %d: its actor died during cleaning", number)
        self._leases.mark_clean(number)
        await self._changes.notify()

    async def _expire(self) -> None:
        while self._closed is None:
            await asyncio.sleep(self._settings.lease_s / 4)
            for lease in self._leases.expired():
                logger.warning(
                    "trial %s stopped renewing its lease; releasing its lane", lease.trial_id
                )
                await self.release(lease.trial_id)

    async def _shut_down(self, number: int, grace_s: float) -> None:
        if self._leases.use_of(number) is LaneUse.BROKEN:
            return
        with contextlib.suppress(RayActorError, TimeoutError):
            done = self._lanes[number].shut_down.remote(self._leases.new_token(), grace_s)
            await asyncio.wait_for(done, grace_s + 1.0)
        await self._kill_lane(number)

    def _refusal(self, trial_id: str) -> LaneRefusal | None:
        reason = self._closed or self._aborted.get(trial_id) or self._leases.all_broken()
        return LaneRefusal(reason=reason) if reason else None

    def _status(self, number: int) -> LaneStatus:
        state, lease = self._states[number], self._leases.lease_of(number)
        return LaneStatus(
            lane=number,
            use=self._leases.use_of(number),
            warm=state is not None and state.ready,
            trial_id=lease.trial_id if lease else None,
            generation=state.generation if state else 0,
            deaths=state.deaths if state else 0,
            last_error=(state.broken or state.last_error) if state else None,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background; the set keeps the task from being garbage-collected."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
