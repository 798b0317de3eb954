"""The supervisor, with a run that the test starts and ends."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mixfront.lanes import (
    CommandKind,
    Heartbeat,
    LaneSettings,
    Mailbox,
    Outcome,
    Reply,
    WorkerMember,
)
from mixfront.pool.supervisor import Supervisor

SETTINGS = LaneSettings(hung_after_s=0.5, start_timeout_s=60, max_consecutive_deaths=3)


class Lane:
    """A mailbox, a supervisor, and a run that blocks until the test ends it."""

    def __init__(self, settings: LaneSettings = SETTINGS) -> None:
        self.mailbox = Mailbox(0)
        self.runs = 0
        self.lacking = False
        self.error: Exception | None = None
        self.end_run = threading.Event()
        self.killed: list[int] = []
        self.removed: list[Any] = []
        self.supervisor = Supervisor(
            self.mailbox,
            run=self._run,
            kill=lambda member: self.killed.append(member.pid),
            remove_groups=self.removed.extend,
            lacks_resources=lambda: self.lacking,
            settings=settings,
            needs="2 x (1 CPU)",
        )

    def _run(self) -> None:
        self.runs += 1
        self.end_run.wait(10)
        self.end_run.clear()
        if self.error is not None:
            raise self.error

    async def join(self, attempt: str) -> int:
        member = WorkerMember(rank=0, pid=11, placement_group="group")
        return await self.mailbox.join(attempt, 1, member, 1.0)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(10):
            while not await condition():
                await asyncio.sleep(0.01)

    async def started(self) -> None:
        async def running() -> bool:
            return self.runs > 0

        await self.until(running)
        await self.join("a")

    async def stop(self) -> bool:
        self.end_run.set()
        return await self.supervisor.stop(5.0)


def test_after_a_dead_controller_its_group_is_removed_and_the_lane_restarts() -> None:
    async def scenario() -> None:
        lane = Lane()
        lane.supervisor.start()
        await lane.join("a")
        command_id = await lane.mailbox.ask(1, 1, CommandKind.ADVANCE, {}, 0.0)
        assert isinstance(command_id, int)
        lane.error = ConnectionError("actor died")
        lane.end_run.set()
        reply = await lane.mailbox.await_reply(command_id, 5.0)
        assert reply is not None
        assert reply.outcome is Outcome.RESTARTED
        assert reply.error == "the Train controller died: ConnectionError: actor died"
        assert lane.removed[:1] == ["group"]

        async def restarted() -> bool:
            return lane.runs == 2

        await lane.until(restarted)
        lane.error = None
        assert await lane.stop()

    asyncio.run(scenario())


def test_a_group_that_hangs_is_killed_once() -> None:
    async def scenario() -> None:
        lane = Lane()
        lane.supervisor.start()
        await lane.join("a")
        await lane.mailbox.heartbeat(1, Heartbeat(rank=0, ticks=1, stalled_s=99))

        async def killed() -> bool:
            return bool(lane.killed)

        await lane.until(killed)
        await asyncio.sleep(0.1)
        assert lane.killed == [11]
        assert "no rank made progress" in ((await lane.mailbox.state()).kill_reason or "")
        assert await lane.stop()

    asyncio.run(scenario())


def test_too_many_deaths_in_a_row_break_the_lane() -> None:
    async def scenario() -> None:
        lane = Lane()
        lane.supervisor.start()
        for attempt in "abc":
            await lane.join(attempt)
            await lane.mailbox.group_died("rank 0: ImportError: no module named x")

        async def broken() -> bool:
            return (await lane.mailbox.state()).broken is not None

        await lane.until(broken)
        reason = (await lane.mailbox.state()).broken or ""
        assert "died 3 times in a row" in reason
        assert reason.endswith("ImportError: no module named x")
        assert not lane.supervisor.is_active
        lane.end_run.set()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("limit", "lacking", "reason"),
    [
        ("start_timeout_s", False, "although 2 x (1 CPU) were free"),
        ("resource_timeout_s", True, "for 2 x (1 CPU), longer than trial.start_timeout"),
    ],
)
def test_a_lane_that_never_starts_reports_why(limit: str, lacking: bool, reason: str) -> None:
    async def scenario() -> None:
        lane = Lane(SETTINGS.model_copy(update={limit: 0.2}))
        lane.lacking = lacking
        lane.supervisor.start()

        async def broken() -> bool:
            return (await lane.mailbox.state()).broken is not None

        await lane.until(broken)
        assert reason in ((await lane.mailbox.state()).broken or "")
        lane.end_run.set()

    asyncio.run(scenario())


def test_a_lane_behind_other_jobs_waits_and_says_so() -> None:
    """It used to break after the time that a start may take."""

    async def scenario() -> None:
        lane = Lane(SETTINGS.model_copy(update={"start_timeout_s": 0.2}))
        lane.lacking = True
        lane.supervisor.start()

        async def waiting() -> bool:
            return (await lane.mailbox.state()).waiting

        await lane.until(waiting)
        await asyncio.sleep(0.3)
        assert (await lane.mailbox.state()).broken is None
        await lane.join("a")
        assert not (await lane.mailbox.state()).waiting
        assert await lane.stop()

    asyncio.run(scenario())


def test_a_draining_group_is_replaced_once_it_is_idle() -> None:
    async def scenario() -> None:
        lane = Lane()
        lane.supervisor.start()
        await lane.join("a")
        await lane.mailbox.grant(1)
        command_id = await lane.mailbox.ask(1, 1, CommandKind.ADVANCE, {}, 0.0)
        assert isinstance(command_id, int)
        await lane.mailbox.drain(1, "its node is being drained")
        await asyncio.sleep(0.1)
        assert not lane.killed
        beat = await lane.mailbox.heartbeat(1, Heartbeat(rank=0, ticks=1, stalled_s=0))
        assert beat.abort == "its node is being drained"
        stopped = Reply(command_id=command_id, outcome=Outcome.INTERRUPTED, checkpoint="step-7")
        await lane.mailbox.reply(1, stopped)
        reply = await lane.mailbox.await_reply(command_id, 1.0)
        assert reply is not None
        assert (reply.outcome, reply.checkpoint) == (Outcome.DRAINED, "step-7")
        refused = await lane.mailbox.ask(1, 1, CommandKind.ADVANCE, {}, 0.0)
        assert isinstance(refused, Reply)
        assert refused.outcome in (Outcome.DRAINED, Outcome.RESTARTED)

        async def killed() -> bool:
            return bool(lane.killed)

        await lane.until(killed)
        await lane.mailbox.group_died("the workers were killed")
        state = await lane.mailbox.state()
        assert (state.deaths, state.last_error) == (0, "its node is being drained")
        await lane.join("b")
        assert (await lane.mailbox.state()).draining is None
        assert await lane.stop()

    asyncio.run(scenario())


def test_stop_returns_whether_the_run_ended_in_time() -> None:
    async def scenario() -> None:
        lane = Lane()
        assert await lane.supervisor.stop(0.1)  # it never ran
        lane.supervisor.start()
        await lane.started()
        assert not await lane.supervisor.stop(0.1)
        lane.end_run.set()

    asyncio.run(scenario())


def test_starting_twice_runs_once() -> None:
    async def scenario() -> None:
        lane = Lane()
        lane.supervisor.start()
        lane.supervisor.start()
        await lane.started()
        assert lane.runs == 1
        assert await lane.stop()

    asyncio.run(scenario())
