"""The mailbox of a lane, through which a trial's proxy and a worker group communicate.

A plain class; the driver runs it as a named Ray actor. It keeps a single command, not a queue.
Reading is idempotent, so a reader that dies loses no command, and a restarted worker group, which
registers as a new generation, fails the command that its predecessor left unanswered.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mixfront.lanes.messages import (
    Command,
    CommandKind,
    Heartbeat,
    HeartbeatReply,
    LaneState,
    Outcome,
    Reply,
    WorkerMember,
)
from mixfront.lanes.state_watch import StateWatch


class Mailbox:
    """State of one lane. Every wait has a timeout, and nothing blocks the event loop.

    Callers identify themselves by a token, which rises with every lease. Calls with an older
    token are refused, and a command still in flight under it is aborted.

    Args:
        lane: Number of the lane.
        clock: Monotonic time in seconds.
    """

    def __init__(self, lane: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lane = lane
        self._clock = clock
        self._changes = StateWatch(clock)
        self._generation = 0
        self._ready = False
        self._ready_since = clock()  # or not ready since, if `_ready` is False
        self._members: dict[int, WorkerMember] = {}
        self._joining: dict[str, dict[int, WorkerMember]] = {}
        self._beats: dict[int, tuple[float, Heartbeat]] = {}
        self._token = 0
        self._aborted: dict[int, str] = {}  # token -> reason
        self._last_id = 0
        self._command: Command | None = None
        self._command_token = 0
        self._reply: Reply | None = None
        self._loaded_trial: str | None = None
        self._quitting = False
        self._recycling = False
        self._consecutive_deaths = 0
        self._deaths = 0
        self._last_error: str | None = None
        self._kill_reason: str | None = None
        self._broken: str | None = None
        self._waiting = False
        self._draining: str | None = None

    # -- called by a proxy or the pool

    async def grant(self, token: int) -> None:
        """Give the lane to the holder of `token` and fence off the previous one."""
        self._token = max(self._token, token)
        self._aborted = {t: reason for t, reason in self._aborted.items() if t >= self._token}
        await self._changes.notify()

    async def abort(self, token: int, reason: str) -> None:
        """Stop the current and any later command of `token`, after a checkpoint."""
        self._aborted.setdefault(token, reason)
        await self._changes.notify()

    async def wait_ready(self, token: int, timeout_s: float) -> int | Reply | None:
        """Wait for a worker group.

        Returns:
            Its generation; a reply if the caller was aborted or fenced off, or if the lane is
            broken; None on timeout.
        """

        def generation() -> int | Reply | None:
            return self._refusal(token) or (self._generation if self._ready else None)

        return await self._changes.until(generation, timeout_s)

    async def ask(
        self,
        token: int,
        generation: int,
        kind: CommandKind,
        payload: Mapping[str, Any],
        timeout_s: float,
    ) -> Reply | int:
        """Post a command and wait for the reply.

        Returns:
            The reply, or on timeout the command's id, to wait longer with `await_reply`.
        """
        refusal = self._refusal(token) or self._not_available(generation)
        if refusal is not None:
            return refusal
        self._last_id += 1
        self._command = Command(command_id=self._last_id, kind=kind, payload=dict(payload))
        self._command_token, self._reply = token, None
        if kind is CommandKind.SETUP:
            self._loaded_trial = str(payload.get("trial_id", "?"))
        command_id = self._last_id
        await self._changes.notify()
        return await self.await_reply(command_id, timeout_s) or command_id

    async def await_reply(self, command_id: int, timeout_s: float) -> Reply | None:
        """Wait for the reply to a command already posted; None on timeout."""
        return await self._changes.until(lambda: self._reply_to(command_id), timeout_s)

    async def settle(self, timeout_s: float) -> bool:
        """Wait until no command is in flight; False on timeout."""
        return (
            await self._changes.until(lambda: self._command is None or None, timeout_s) is not None
        )

    async def quit(self) -> None:
        """Ask the workers to quit; a command in flight is aborted first."""
        self._quitting = True
        await self._changes.notify()

    # -- called by the workers

    async def join(
        self, attempt: str, world_size: int, member: WorkerMember, timeout_s: float
    ) -> int:
        """Register one rank of a new worker group.

        Returns:
            The generation once all ranks have joined; 0 on timeout.
        """
        group = self._joining.setdefault(attempt, {})
        group[member.rank] = member
        if len(group) == world_size:
            self._open_generation(group)
        await self._changes.notify()

        def opened() -> int | None:
            registered = self._members.get(member.rank)
            return self._generation if self._ready and registered is member else None

        return await self._changes.until(opened, timeout_s) or 0

    async def next_command(
        self, generation: int, after_id: int, timeout_s: float
    ) -> Command | None:
        """The command after `after_id`, None if there is none yet. Repeating a call is safe."""
        return await self._changes.until(
            lambda: self._command_after(generation, after_id), timeout_s
        )

    async def reply(self, generation: int, reply: Reply) -> bool:
        """Reply to the command in flight; False if another generation has taken over."""
        command = self._command
        if generation != self._generation or not self._ready or command is None:
            return False
        if reply.outcome is Outcome.INTERRUPTED and self._is_drained(self._command_token):
            reply = replace(reply, outcome=Outcome.DRAINED)
        if command.command_id != reply.command_id:
            return False
        self._close_command(reply)
        self._consecutive_deaths = 0
        if command.kind is CommandKind.TEARDOWN or (
            command.kind is CommandKind.SETUP and reply.outcome is not Outcome.OK
        ):
            self._loaded_trial = None
        if reply.recycle:
            self._recycling, self._last_error = True, reply.recycle
            self._lose_group()
        await self._changes.notify()
        return True

    async def heartbeat(self, generation: int, beat: Heartbeat) -> HeartbeatReply:
        """Record a heartbeat."""
        if generation != self._generation:
            return HeartbeatReply(abort=None, command_id=0, stale=True)
        self._beats[beat.rank] = (self._clock(), beat)
        return HeartbeatReply(abort=self._abort_reason(), command_id=self._last_id, stale=False)

    async def fail_group(self, generation: int, error: str, retry: bool) -> None:
        """Fail the command in flight, and have the worker group killed."""
        if generation == self._generation and self._ready:
            self._fail_command(error, retry)
            self._kill_reason = self._last_error = error
            self._lose_group()
            await self._changes.notify()

    # -- called by the supervisor and the Train controller's callback

    async def group_died(self, error: str) -> None:
        """A worker group has ended, because it failed or was recycled."""
        if self._recycling:
            self._recycling = False
            return
        self._deaths += 1
        self._consecutive_deaths += 1
        self._last_error = self._kill_reason or error
        self._fail_command(self._last_error, retry=True)
        self._lose_group()
        await self._changes.notify()

    async def drain(self, generation: int, reason: str) -> None:
        """Have a worker group replaced, after the command in flight has written a checkpoint."""
        if generation == self._generation and self._ready and self._draining is None:
            self._draining = reason
            await self._changes.notify()

    async def replace_group(self, reason: str) -> None:
        """Have an idle worker group killed; this is not counted as a death."""
        self._recycling = True
        self._kill_reason = self._last_error = reason
        self._lose_group()
        await self._changes.notify()

    async def set_waiting(self, waiting: bool) -> None:
        """Record whether the lane waits for its resources."""
        if waiting != self._waiting:
            self._waiting = waiting
            await self._changes.notify()

    async def declare_broken(self, reason: str) -> None:
        """Mark the lane as broken for good; later commands are refused with `reason`."""
        self._broken = reason
        self._fail_command(reason, retry=True)
        self._lose_group()
        await self._changes.notify()

    async def reopen(self) -> None:
        """Forget the last run before a new one starts (`isolation: process`)."""
        self._quitting = False
        self._lose_group()
        self._kill_reason, self._ready_since = None, self._clock()
        await self._changes.notify()

    async def state(self, known_version: int = -1, timeout_s: float = 0.0) -> LaneState:
        """State of the lane, as soon as its version differs from `known_version`."""
        await self._changes.until(
            lambda: self._changes.version != known_version or None, timeout_s
        )
        return LaneState(
            version=self._changes.version,
            generation=self._generation,
            ready=self._ready,
            busy=self._command is not None,
            loaded_trial=self._loaded_trial,
            consecutive_deaths=self._consecutive_deaths,
            deaths=self._deaths,
            last_error=self._last_error,
            kill_reason=self._kill_reason,
            broken=self._broken,
            waiting=self._waiting and not self._ready,
            draining=self._draining,
            members=tuple(self._members.values()),
        )

    def hang_reason(self, hung_after_s: float) -> str | None:
        """Why the worker group counts as hung, or None if it does not.

        A rank that waits for another makes no progress either, so a single stalled rank is not a
        hang: the group hangs if no rank makes progress, or if one sends no heartbeat at all.
        """
        if not self._ready:
            return None
        now = self._clock()
        for rank in self._members:
            received = self._beats[rank][0] if rank in self._beats else self._ready_since
            if now - received > hung_after_s:
                return f"rank {rank} sent no heartbeat for {now - received:.0f} s"
        stalled = [now - received + beat.stalled_s for received, beat in self._beats.values()]
        if len(stalled) == len(self._members) and min(stalled, default=0.0) > hung_after_s:
            return f"no rank made progress for {min(stalled):.0f} s"
        return None

    def waiting_s(self) -> float:
        """Seconds without a worker group; 0 while there is one."""
        return 0.0 if self._ready else self._clock() - self._ready_since

    # -- internal

    def _is_drained(self, token: int) -> bool:
        """Whether the holder of `token` must move to another lane."""
        return self._draining is not None and token == self._token and token not in self._aborted

    def _refusal(self, token: int) -> Reply | None:
        """The reply that refuses a token, or None if it is accepted."""
        if token < self._token:
            return self._refuse(Outcome.REFUSED, "the lease of the lane has ended")
        if token in self._aborted:
            return self._refuse(Outcome.INTERRUPTED, self._aborted[token])
        if self._broken:
            return self._refuse(Outcome.BROKEN, self._broken)
        if self._is_drained(token):
            return self._refuse(Outcome.DRAINED, self._draining or "")
        return None

    def _not_available(self, generation: int) -> Reply | None:
        if not self._ready or generation != self._generation:
            error = self._last_error or "the worker group was replaced"
            return self._refuse(Outcome.RESTARTED, error)
        if self._command is not None:
            return self._refuse(Outcome.REFUSED, f"the lane is still running {self._command.kind}")
        return None

    @staticmethod
    def _refuse(outcome: Outcome, error: str) -> Reply:
        return Reply(command_id=0, outcome=outcome, error=error)

    def _reply_to(self, command_id: int) -> Reply | None:
        if self._reply is not None and self._reply.command_id == command_id:
            return self._reply
        if self._command is None or self._command.command_id != command_id:
            error = self._last_error or "the command is unknown"
            return self._refuse(Outcome.RESTARTED, error)
        return None

    def _command_after(self, generation: int, after_id: int) -> Command | None:
        if generation != self._generation or (self._quitting and self._command is None):
            return Command(command_id=after_id, kind=CommandKind.QUIT)
        command = self._command
        return command if command is not None and command.command_id > after_id else None

    def _abort_reason(self) -> str | None:
        """Why the command in flight must stop, or None."""
        if self._command is None:
            return None
        if self._quitting:
            return "the lane is closing"
        if self._command_token < self._token:
            return "the lane was released"
        return self._aborted.get(self._command_token) or self._draining

    def _open_generation(self, group: dict[int, WorkerMember]) -> None:
        self._fail_command("the worker group was replaced", retry=True)
        self._joining.clear()
        self._generation += 1
        self._members, self._beats = dict(group), {}
        self._ready, self._ready_since = True, self._clock()
        self._loaded_trial, self._kill_reason, self._recycling = None, None, False
        self._waiting, self._draining = False, None

    def _lose_group(self) -> None:
        if self._ready:
            self._ready, self._ready_since = False, self._clock()
        self._loaded_trial = None

    def _close_command(self, reply: Reply) -> None:
        self._command, self._reply = None, reply

    def _fail_command(self, error: str, retry: bool) -> None:
        """End the command in flight, if any, as RESTARTED."""
        if self._command is not None:
            command_id = self._command.command_id
            self._close_command(
                Reply(
                    command_id=command_id,
                    outcome=Outcome.RESTARTED,
                    error=error,
                    retry=retry,
                )
            )
