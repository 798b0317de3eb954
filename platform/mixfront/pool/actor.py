"""The actor behind a LanePool: creates the lanes, leases them, and cleans them between trials."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Coroutine
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mixfront.lanes.messages import LaneState
from mixfront.lanes.state_watch import StateWatch
from mixfront.pool.lane import LaneActor, create_named
from mixfront.pool.leases import LaneUse, Lease, Leases
from mixfront.pool.nodes import draining_nodes, target_lanes
from mixfront.pool.placement_groups import remove_groups, remove_leaked
from mixfront.pool.status import LaneGrant, LaneRefusal, LaneStatus
from mixfront.pool.train_run import RunPlan

logger = logging.getLogger(__name__)

_WATCH_S = 5.0
_NODES_S = 2.0  # between two looks at the cluster's nodes
_DRAINED = "one of its nodes is being drained"
_SWEEPS = 20  # attempts to remove leaked placement groups while the last controllers die


class PoolActor:
    """The Ray actor behind LanePool, which documents these methods.

    Args:
        plan: The plan of every lane, except for its number and name.
        max_lanes: Start at most this many lanes; None: as many as the nodes have room for.
    """

    def __init__(self, plan: RunPlan, max_lanes: int | None) -> None:
        self._plan = plan
        self._max_lanes = max_lanes
        self._plans: list[RunPlan] = []
        self._fresh = plan.trial.isolation == "process"
        self._settings = plan.settings
        self._leases = Leases(0, plan.settings.lease_s)
        self._changes = StateWatch()
        self._lanes: list[Any] = []
        self._states: list[LaneState | None] = []
        self._aborted: dict[str, str] = {}
        self._closed: str | None = None
        self._unusable_since: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Create the lanes; they warm up on their own."""
        self._spawn(self._expire())
        self._spawn(self._follow_nodes())

    async def lease(self, trial_id: str, timeout_s: float) -> LaneGrant | LaneRefusal | None:
        """Lease a lane to a trial; None if no lane became free within `timeout_s`."""
        await self.release(trial_id)

        def take() -> Lease | LaneRefusal | None:
            refusal = self._refusal(trial_id)
            if refusal is not None:
                return refusal
            return self._leases.take(trial_id, self._can_start)

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
            restart_s=None if self._fresh else self._settings.restart_s,
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
        """The status of every lane, by number; waits for the first one to be planned."""
        await self._changes.until(lambda: self._plans or None, _WATCH_S)
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

    async def _follow_nodes(self) -> None:
        """Start a lane where nodes have joined; move lanes away from nodes that leave."""
        while self._closed is None:
            try:
                target = await asyncio.to_thread(target_lanes, self._plan.trial, self._max_lanes)
                while len(self._plans) < target and self._closed is None:
                    await self._add_lane()
                await self._drain(await asyncio.to_thread(draining_nodes))
            except RayError as error:
                logger.warning("the cluster's nodes could not be listed: %s", error)
            await asyncio.sleep(_NODES_S)

    async def _add_lane(self) -> None:
        number = len(self._plans)
        self._plans.append(self._plan.for_lane(number))
        self._lanes.append(None)
        self._states.append(None)
        self._leases.add_lane()
        await self._changes.notify()
        try:
            await self._create_lane(number)
            self._spawn(self._watch(number))
        except (ValueError, RayError) as error:
            self._leases.mark_broken(number, f"lane {number} could not be created: {error}")
        await self._changes.notify()

    async def _drain(self, nodes: Collection[str]) -> None:
        """Have the worker groups on these nodes replaced, after their trials' checkpoints."""
        for number, state in enumerate(self._states):
            if state is None or not any(member.node_id in nodes for member in state.members):
                continue
            if state.ready and state.draining is None:
                logger.warning("lane %d: one of its nodes is being drained", number)
                with contextlib.suppress(RayActorError):
                    await self._lanes[number].drain.remote(state.generation, _DRAINED)

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
            await self._changes.notify()  # it may be ready
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
        if self._leases.use_of(number) is LaneUse.BROKEN or self._lanes[number] is None:
            return  # a lane that is still being created dies with the pool
        with contextlib.suppress(RayActorError, TimeoutError):
            done = self._lanes[number].shut_down.remote(self._leases.new_token(), grace_s)
            await asyncio.wait_for(done, grace_s + 1.0)
        await self._kill_lane(number)

    def _refusal(self, trial_id: str) -> LaneRefusal | None:
        reason = self._closed or self._aborted.get(trial_id) or self._leases.all_broken()
        reason = reason or self._why_none_is_usable()
        return LaneRefusal(reason=reason) if reason else None

    def _can_start(self, number: int) -> bool:
        """Whether a free lane could start a trial now; a fresh group starts with its trial."""
        state = self._states[number]
        if self._fresh:
            return self._lanes[number] is not None
        return state is not None and state.ready and state.draining is None

    def _is_usable(self, number: int) -> bool:
        use = self._leases.use_of(number)
        return use is LaneUse.LEASED or (use is not LaneUse.BROKEN and self._can_start(number))

    def _why_none_is_usable(self) -> str | None:
        """The reason to send a trial back, after every lane was down for longer than a restart."""
        if any(self._is_usable(number) for number in range(len(self._plans))):
            self._unusable_since = None
            return None
        if not any(state is not None and state.generation for state in self._states):
            return None  # none has started yet
        now = time.monotonic()
        self._unusable_since = self._unusable_since or now
        waited = now - self._unusable_since
        return "no lane is ready" if waited >= self._settings.restart_s else None

    def _status(self, number: int) -> LaneStatus:
        state, lease = self._states[number], self._leases.lease_of(number)
        return LaneStatus(
            lane=number,
            use=self._leases.use_of(number),
            warm=state is not None and state.ready,
            trial_id=lease.trial_id if lease else None,
            generation=state.generation if state else 0,
            deaths=state.deaths if state else 0,
            last_error=self._leases.error_of(number) or (state.last_error if state else None),
            waiting=state is not None and state.waiting and state.broken is None,
            usable=self._is_usable(number),
            needs=self._plans[number].needs(),
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background; the set keeps the task from being garbage-collected."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
