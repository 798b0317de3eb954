"""Keeps one lane's Train run alive, and ends what hangs."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mixfront.lanes import LaneSettings, Mailbox, WorkerMember
from mixfront.lanes.messages import LaneState
from mixfront.lanes.runner import describe

logger = logging.getLogger(__name__)

_LOOK_S = 0.5  # between two looks of the watchdog, when nothing happens


class Supervisor:
    """Runs `run` again and again while the lane is wanted, and watches its workers.

    It lives in one event loop with the mailbox, in the lane's actor, and so dies with the driver.

    Args:
        mailbox: The lane's.
        run: Blocks for as long as a Train run lives; raises when its controller dies.
        kill: Ends one worker process.
        remove_groups: Gives placement groups back; a dead controller leaks its own.
        settings: Clocks.
        needs: The resources of a lane in words, for the sentence when they never come.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        run: Callable[[], None],
        kill: Callable[[WorkerMember], None],
        remove_groups: Callable[[list[Any]], object],
        settings: LaneSettings,
        needs: str,
    ) -> None:
        self._mailbox = mailbox
        self._run = run
        self._kill = kill
        self._remove_groups = remove_groups
        self._settings = settings
        self._needs = needs
        self._wanted = False
        self._killed_generation = 0
        self._runner: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lane-run")

    @property
    def wanted(self) -> bool:
        """Whether the run is meant to live."""
        return self._wanted

    def start(self) -> None:
        """Start the run, unless it is wanted already."""
        if not self._wanted:
            self._wanted = True
            self._runner = asyncio.create_task(self._keep_running())
            self._watcher = asyncio.create_task(self._watch())

    async def stop(self, grace_s: float) -> bool:
        """Have the workers quit.

        Returns:
            Whether the run ended by itself; if not, the lane's process must be killed.
        """
        self._wanted = False
        if self._runner is None:
            return True
        await self._mailbox.quit()
        done, _ = await asyncio.wait([self._runner], timeout=grace_s)
        if self._watcher is not None:
            self._watcher.cancel()
        return bool(done)

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        while self._wanted:
            error = "the Train run ended"
            try:
                await loop.run_in_executor(self._executor, self._run)
            except Exception as failure:
                error = f"the Train controller died: {describe(failure)}"
            await self._after_run(error)

    async def _after_run(self, error: str) -> None:
        """The run is over: give back what a dead controller still holds."""
        state = await self._mailbox.state()
        self._remove_groups([m.placement_group for m in state.members[:1] if m.placement_group])
        if self._wanted:
            logger.warning("lane: %s", error)
            await self._mailbox.group_died(error)
            await asyncio.sleep(min(2.0, 0.1 * 2**state.consecutive_deaths))

    async def _watch(self) -> None:
        version = -1
        while self._wanted:
            state = await self._mailbox.state(version, _LOOK_S)
            version = state.version
            await self._look(state)
            if not state.ready:  # what a controller left that died before it had workers
                self._remove_groups([])

    async def _look(self, state: LaneState) -> None:
        hung = self._mailbox.hang_reason(self._settings.hung_after_s)
        if hung is not None:
            await self._mailbox.fail_group(
                state.generation, f"the workers hang: {hung}", retry=True
            )
            state = await self._mailbox.state()
        if state.kill_reason is not None and state.generation > self._killed_generation:
            self._kill_group(state)
        broken = self._why_broken(state)
        if broken is not None:
            self._wanted = False
            await self._mailbox.declare_broken(broken)
            self._kill_group(state)

    def _kill_group(self, state: LaneState) -> None:
        logger.warning("killing a worker group: %s", state.kill_reason or state.last_error)
        self._killed_generation = state.generation
        for member in state.members:
            with contextlib.suppress(ValueError):  # it died meanwhile
                self._kill(member)

    def _why_broken(self, state: LaneState) -> str | None:
        settings = self._settings
        deaths = state.consecutive_deaths
        if deaths >= settings.max_consecutive_deaths:
            return (
                f"the lane is broken: its worker group died {deaths} times in a row with "
                f"no command completed; the last error was: {state.last_error}"
            )
        waited = self._mailbox.waiting_s()
        if waited > settings.start_timeout_s:
            return (
                f"the lane is broken: no worker group came up within {waited:.0f} s; it needs "
                f"{self._needs}, see `ray status` for what is free"
                + (f"; the last error was: {state.last_error}" if state.last_error else "")
            )
        return None
