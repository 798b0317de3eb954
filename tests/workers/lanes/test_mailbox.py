"""The mailbox without Ray: commands, generations, tokens, aborts, hang detection."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from mixfront.lanes import CommandKind, Heartbeat, Mailbox, Outcome, Reply, WorkerMember

_T = TypeVar("_T")
ADVANCE, SETUP, TEARDOWN = CommandKind.ADVANCE, CommandKind.SETUP, CommandKind.TEARDOWN


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(work: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(work)


async def join_all(mailbox: Mailbox, attempt: str = "a", ranks: int = 2) -> int:
    generations = await asyncio.gather(
        *(
            mailbox.join(attempt, ranks, WorkerMember(rank=r, pid=100 + r), 1.0)
            for r in range(ranks)
        )
    )
    assert len(set(generations)) == 1
    return generations[0]


async def ask(mailbox: Mailbox, generation: int, kind: CommandKind = ADVANCE) -> Any:
    return await mailbox.ask(1, generation, kind, {"trial_id": "7"}, 0.0)


def ok(command_id: int, **fields: Any) -> Reply:
    return Reply(command_id=command_id, outcome=Outcome.OK, **fields)


def test_a_command_reaches_the_workers_and_its_reply_the_caller() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        generation = await join_all(mailbox)
        assert await mailbox.wait_ready(1, 0.0) == generation == 1
        pending = asyncio.create_task(mailbox.ask(1, 1, SETUP, {"trial_id": "7"}, 5.0))
        command = await mailbox.next_command(1, 0, 5.0)
        assert command is not None
        assert (command.command_id, command.kind) == (1, SETUP)
        assert (await mailbox.state()).loaded_trial == "7"
        assert await mailbox.reply(1, ok(1))
        assert (await pending) == ok(1)
        assert await mailbox.next_command(1, 1, 0.0) is None

    run(scene())


def test_reading_a_command_is_idempotent() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1)
        assert await mailbox.next_command(1, 0, 0.0) == await mailbox.next_command(1, 0, 0.0)
        assert await mailbox.next_command(1, command_id, 0.0) is None
        assert await mailbox.await_reply(command_id, 0.0) is None
        await mailbox.reply(1, ok(command_id))
        assert await mailbox.await_reply(command_id, 0.0) == ok(command_id)
        assert await mailbox.await_reply(command_id, 0.0) == ok(command_id)

    run(scene())


def test_a_new_generation_fails_the_command_in_flight() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1)
        assert await join_all(mailbox, "b") == 2
        reply = await mailbox.await_reply(command_id, 0.0)
        assert reply is not None
        assert reply.outcome is Outcome.RESTARTED
        assert not await mailbox.reply(1, ok(command_id))
        stale = await mailbox.next_command(1, 0, 0.0)
        assert stale is not None
        assert stale.kind is CommandKind.QUIT
        late = await ask(mailbox, 1)
        assert late.outcome is Outcome.RESTARTED

    run(scene())


def test_a_group_is_registered_once_all_its_ranks_have_joined() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        assert await mailbox.join("a", 2, WorkerMember(rank=0, pid=1), 0.0) == 0
        assert await mailbox.wait_ready(1, 0.0) is None
        assert await mailbox.join("b", 2, WorkerMember(rank=1, pid=2), 0.0) == 0  # another attempt
        assert await mailbox.join("b", 2, WorkerMember(rank=0, pid=3), 0.0) == 1

    run(scene())


def test_a_death_fails_the_command_at_once_and_is_counted() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1)
        await mailbox.group_died("rank 1: killed")
        reply = await mailbox.await_reply(command_id, 0.0)
        assert reply is not None
        assert (reply.outcome, reply.error) == (Outcome.RESTARTED, "rank 1: killed")
        state = await mailbox.state()
        assert (state.ready, state.consecutive_deaths, state.deaths) == (False, 1, 1)
        await join_all(mailbox, "b")
        command_id = await ask(mailbox, 2)
        await mailbox.reply(2, ok(command_id))
        assert (await mailbox.state()).consecutive_deaths == 0

    run(scene())


def test_a_failing_rank_has_its_group_killed() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1)
        await mailbox.fail_group(1, "rank 1: nan", retry=False)
        reply = await mailbox.await_reply(command_id, 0.0)
        assert reply is not None
        assert (reply.outcome, reply.retry) == (Outcome.RESTARTED, False)
        assert (await mailbox.state()).kill_reason == "rank 1: nan"
        await mailbox.group_died("rank 0: connection reset")
        assert (await mailbox.state()).last_error == "rank 1: nan"
        await join_all(mailbox, "b")
        assert (await mailbox.state()).kill_reason is None

    run(scene())


def test_a_later_token_fences_off_the_earlier_one() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await mailbox.grant(1)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1)
        await mailbox.grant(2)
        reply = await mailbox.heartbeat(1, Heartbeat(rank=0, ticks=1, stalled_s=0))
        assert reply.abort == "the lane was released"
        assert not await mailbox.settle(0.0)
        await mailbox.reply(1, ok(command_id))
        assert await mailbox.settle(0.0)
        refused = await ask(mailbox, 1)
        assert refused.outcome is Outcome.REFUSED

    run(scene())


def test_an_abort_reaches_the_workers_and_later_commands() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await mailbox.grant(1)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1)
        beat = Heartbeat(rank=0, ticks=1, stalled_s=0)
        assert (await mailbox.heartbeat(1, beat)).abort is None
        await mailbox.abort(1, "budget spent")
        reply = await mailbox.heartbeat(1, beat)
        assert (reply.abort, reply.command_id) == ("budget spent", command_id)
        await mailbox.reply(1, ok(command_id))
        assert (await mailbox.heartbeat(1, beat)).abort is None
        later = await ask(mailbox, 1)
        assert (later.outcome, later.error) == (Outcome.INTERRUPTED, "budget spent")
        await mailbox.grant(2)
        assert isinstance(await mailbox.ask(2, 1, ADVANCE, {}, 0.0), int)

    run(scene())


def test_a_busy_lane_refuses_a_second_command() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await join_all(mailbox)
        await ask(mailbox, 1)
        second = await ask(mailbox, 1)
        assert (second.outcome, second.error) == (
            Outcome.REFUSED,
            "the lane is still running advance",
        )

    run(scene())


def test_quit_waits_for_the_command_in_flight() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1)
        await mailbox.quit()
        assert (
            await mailbox.heartbeat(1, Heartbeat(rank=0, ticks=0, stalled_s=0))
        ).abort is not None
        assert await mailbox.next_command(1, command_id, 0.0) is None
        await mailbox.reply(1, ok(command_id))
        last = await mailbox.next_command(1, command_id, 0.0)
        assert last is not None
        assert last.kind is CommandKind.QUIT

    run(scene())


def test_recycling_does_not_count_as_a_death() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await join_all(mailbox)
        command_id = await ask(mailbox, 1, TEARDOWN)
        await mailbox.reply(1, ok(command_id, recycle="200 trials"))
        await mailbox.group_died("LaneRecycled: 200 trials")
        state = await mailbox.state()
        assert (state.ready, state.deaths, state.last_error) == (False, 0, "200 trials")
        await join_all(mailbox, "b")
        await mailbox.group_died("rank 0: killed")
        assert (await mailbox.state()).deaths == 1

    run(scene())


def test_a_broken_lane_says_why() -> None:
    async def scene() -> None:
        mailbox = Mailbox(0)
        await mailbox.declare_broken("no GPU")
        reply = await mailbox.wait_ready(1, 0.0)
        assert isinstance(reply, Reply)
        assert (reply.outcome, reply.error) == (Outcome.BROKEN, "no GPU")

    run(scene())


def test_a_silent_rank_is_a_hang_and_a_waiting_one_is_not() -> None:
    async def scene() -> None:
        clock = Clock()
        mailbox = Mailbox(0, clock)
        assert mailbox.hang_reason(5) is None
        await join_all(mailbox)
        clock.now = 4.0
        await mailbox.heartbeat(1, Heartbeat(rank=0, ticks=1, stalled_s=0))
        assert mailbox.hang_reason(5) is None
        clock.now = 6.0
        assert mailbox.hang_reason(5) == "rank 1 sent no heartbeat for 6 s"
        await mailbox.heartbeat(1, Heartbeat(rank=0, ticks=1, stalled_s=0))
        await mailbox.heartbeat(1, Heartbeat(rank=1, ticks=1, stalled_s=60))  # waits for rank 0
        assert mailbox.hang_reason(5) is None
        await mailbox.heartbeat(1, Heartbeat(rank=0, ticks=1, stalled_s=7))
        assert mailbox.hang_reason(5) == "no rank made progress for 7 s"

    run(scene())


def test_the_time_without_a_worker_group_is_measured() -> None:
    async def scene() -> None:
        clock = Clock()
        mailbox = Mailbox(0, clock)
        clock.now = 3.0
        assert mailbox.waiting_s() == 3.0
        await join_all(mailbox)
        assert mailbox.waiting_s() == 0.0
        await mailbox.group_died("killed")
        clock.now = 5.0
        assert mailbox.waiting_s() == 2.0

    run(scene())
