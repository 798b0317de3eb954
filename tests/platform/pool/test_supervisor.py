"""The supervisor, with a run that lives and dies as the test says."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from mixfront.lanes import CommandKind, Heartbeat, LaneSettings, Mailbox, Outcome, WorkerMember
from mixfront.pool.supervisor import Supervisor

SETTINGS = LaneSettings(hung_after_s=0.5, start_timeout_s=60, max_consecutive_deaths=3)


class Scene:
    """A mailbox, a supervisor, and a run that blocks until it is let go."""

    def __init__(self, settings: LaneSettings = SETTINGS) -> None:
        self.mailbox = Mailbox(0)
        self.runs = 0
        self.error: Exception | None = None
        self.let_go = threading.Event()
        self.killed: list[int] = []
        self.removed: list[Any] = []
        self.supervisor = Supervisor(
            self.mailbox,
            run=self._run,
            kill=lambda member: self.killed.append(member.pid),
            remove_groups=self.removed.extend,
            settings=settings,
            needs="2 x (1 CPU)",
        )

    def _run(self) -> None:
        self.runs += 1
        self.let_go.wait(10)
        self.let_go.clear()
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
        self.let_go.set()
        return await self.supervisor.stop(5.0)


def test_a_dead_controller_costs_its_group_and_the_lane_starts_again() -> None:
    async def play() -> None:
        scene = Scene()
        scene.supervisor.start()
        await scene.join("a")
        command_id = await scene.mailbox.ask(1, 1, CommandKind.ADVANCE, {}, 0.0)
        assert isinstance(command_id, int)
        scene.error = ConnectionError("actor died")
        scene.let_go.set()
        answer = await scene.mailbox.await_reply(command_id, 5.0)
        assert answer is not None
        assert answer.outcome is Outcome.RESTARTED
        assert answer.error == "the Train controller died: ConnectionError: actor died"
        assert scene.removed[:1] == ["group"]

        async def again() -> bool:
            return scene.runs == 2

        await scene.until(again)
        scene.error = None
        assert await scene.stop()

    asyncio.run(play())


def test_a_group_that_hangs_is_killed_once() -> None:
    async def play() -> None:
        scene = Scene()
        scene.supervisor.start()
        await scene.join("a")
        await scene.mailbox.heartbeat(1, Heartbeat(rank=0, ticks=1, stalled_s=99))

        async def killed() -> bool:
            return bool(scene.killed)

        await scene.until(killed)
        await asyncio.sleep(0.1)
        assert scene.killed == [11]
        assert "no rank made progress" in ((await scene.mailbox.state()).kill_reason or "")
        assert await scene.stop()

    asyncio.run(play())


def test_too_many_deaths_in_a_row_break_the_lane() -> None:
    async def play() -> None:
        scene = Scene()
        scene.supervisor.start()
        for attempt in "abc":
            await scene.join(attempt)
            await scene.mailbox.group_died("rank 0: ImportError: no module named x")

        async def broken() -> bool:
            return (await scene.mailbox.state()).broken is not None

        await scene.until(broken)
        reason = (await scene.mailbox.state()).broken or ""
        assert "died 3 times in a row" in reason
        assert reason.endswith("ImportError: no module named x")
        assert not scene.supervisor.wanted
        scene.let_go.set()

    asyncio.run(play())


def test_a_lane_that_never_comes_up_says_what_it_needs() -> None:
    async def play() -> None:
        scene = Scene(SETTINGS.model_copy(update={"start_timeout_s": 0.2}))
        scene.supervisor.start()

        async def broken() -> bool:
            return (await scene.mailbox.state()).broken is not None

        await scene.until(broken)
        assert "it needs 2 x (1 CPU)" in ((await scene.mailbox.state()).broken or "")
        scene.let_go.set()

    asyncio.run(play())


def test_stopping_tells_whether_the_run_ended_by_itself() -> None:
    async def play() -> None:
        scene = Scene()
        assert await scene.supervisor.stop(0.1)  # it never ran
        scene.supervisor.start()
        await scene.started()
        assert not await scene.supervisor.stop(0.1)
        scene.let_go.set()

    asyncio.run(play())


def test_starting_twice_runs_once() -> None:
    async def play() -> None:
        scene = Scene()
        scene.supervisor.start()
        scene.supervisor.start()
        await scene.started()
        assert scene.runs == 1
        assert await scene.stop()

    asyncio.run(play())
