"""Keeps one lane's Train run alive, and kills worker groups that hang."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mixfront.lanes import LaneSettings, Mailbox, WorkerMember
from mixfront.lanes.error_line import describe
from mixfront.lanes.messages import LaneState

logger = logging.getLogger(__name__)

_CHECK_S = 0.5  # watchdog interval while the lane's state does not change
_GROUPS_S = 2.0  # between two looks at Ray's placement groups while no worker group is up


class Supervisor:
    """Restarts `run` whenever it ends, until stopped, and watches its workers.

    It shares the mailbox's event loop in the lane's actor, so it dies with the driver.

    Args:
        mailbox: The lane's mailbox.
        run: Blocks while a Train run is alive; raises when its controller dies.
        kill: Kills one worker process.
        remove_groups: Removes placement groups; a dead controller leaks its own.
        lacks_resources: Whether the run waits for its placement group.
        settings: Timeouts and intervals.
        needs: The resources of a lane, for the error when they never become available.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        run: Callable[[], None],
        kill: Callable[[WorkerMember], None],
        remove_groups: Callable[[list[Any]], object],
        lacks_resources: Callable[[], bool],
        settings: LaneSettings,
        needs: str,
    ) -> None:
        self._mailbox = mailbox
        self._run = run
        self._kill = kill
        self._remove_groups = remove_groups
        self._lacks_resources = lacks_resources
        self._settings = settings
        self._lacking_s = 0.0  # time without a worker group, until resources were last missing
        self._next_look_s = 0.0  # at the placement groups, in the same time
        self._needs = needs
        self._active = False
        self._killed_generation = 0
        self._runner: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lane-run")

    @property
    def is_active(self) -> bool:
        """Whether the supervisor keeps the run alive."""
        return self._active

    def start(self) -> None:
        """Start the run, unless it is already active."""
        if not self._active:
            self._active = True
            self._runner = asyncio.create_task(self._keep_running())
            self._watcher = asyncio.create_task(self._watch())

    async def stop(self, grace_s: float) -> bool:
        """Make the workers quit.

        Returns:
            Whether the run ended in time; if not, the lane's process must be killed.
        """
        self._active = False
        if self._runner is None:
            return True
        await self._mailbox.quit()
        done, _ = await asyncio.wait([self._runner], timeout=grace_s)
        if self._watcher is not None:
            self._watcher.cancel()
        return bool(done)

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        while self._active:
            error = "the Train run ended"
            try:
                await loop.run_in_executor(self._executor, self._run)
            except Exception as failure:
                error = f"the Train controller died: {describe(failure)}"
            await self._after_run(error)

    async def _after_run(self, error: str) -> None:
        """Clean up after a run: remove the placement group that a dead controller still holds."""
        state = await self._mailbox.state()
        self._remove_groups([m.placement_group for m in state.members[:1] if m.placement_group])
        if self._active:
            logger.warning("lane: %s", error)
            await self._mailbox.group_died(error)
            await asyncio.sleep(min(2.0, 0.1 * 2**state.consecutive_deaths))

    async def _watch(self) -> None:
        version = -1
        while self._active:
            state = await self._mailbox.state(version, _CHECK_S)
            version = state.version
            await self._check(state)
            await self._look_at_groups()

    async def _look_at_groups(self) -> None:
        """While the lane lacks a worker group, see whether it waits for resources."""
        waited = self._mailbox.waiting_s()
        if waited == 0.0:
            self._lacking_s = self._next_look_s = 0.0
        elif waited >= self._next_look_s:
            self._next_look_s = waited + _GROUPS_S
            self._remove_groups([])  # a controller may die before its workers record a group
            lacking = self._lacks_resources()
            self._lacking_s = waited if lacking else self._lacking_s
            await self._mailbox.set_waiting(lacking)

    async def _check(self, state: LaneState) -> None:
        hung = self._mailbox.hang_reason(self._settings.hung_after_s)
        if hung is not None:
            await self._mailbox.fail_group(
                state.generation, f"the workers hang: {hung}", retry=True
            )
            state = await self._mailbox.state()
        if state.draining is not None and state.ready and not state.busy:
            await self._mailbox.replace_group(state.draining)
            state = await self._mailbox.state()
        if state.kill_reason is not None and state.generation > self._killed_generation:
            self._kill_group(state)
        broken = self._why_broken(state)
        if broken is not None:
            self._active = False
            await self._mailbox.declare_broken(broken)
            self._kill_group(state)

    def _kill_group(self, state: LaneState) -> None:
        logger.warning("killing a worker group: %s", state.kill_reason or state.last_error)
        self._killed_generation = state.generation
        for member in state.members:
            with contextlib.suppress(ValueError):  # it is already dead
                self._kill(member)

    def _why_broken(self, state: LaneState) -> str | None:
        settings = self._settings
        deaths = state.consecutive_deaths
        if deaths >= settings.max_consecutive_deaths:
            return (
                f"the lane is broken: its worker group died {deaths} times in a row "
                f"without completing a command; the last error was: {state.last_error}"
            )
        waited, limit = self._mailbox.waiting_s(), settings.resource_timeout_s
        if limit is not None and self._lacking_s > limit:
            return (
                f"the lane is broken: it waited {self._lacking_s:.0f} s for {self._needs}, longer "
                "than trial.start_timeout; `ray status` shows what is free"
            )
        if waited and waited - self._lacking_s > settings.start_timeout_s:
            return (
                f"the lane is broken: no worker group started within {waited:.0f} s although "
                f"{self._needs} were free"
                + (f"; the last error was: {state.last_error}" if state.last_error else "")
            )
        return None
