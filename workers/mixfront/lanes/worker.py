"""One rank of a lane: takes commands from the mailbox for the life of the lane."""

import os
import time
import uuid
from dataclasses import replace
from datetime import timedelta

import ray
import torch
import torch.distributed as dist
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayError
from torch.distributed.distributed_c10d import _set_pg_timeout

from mixfront.exceptions import LaneError
from mixfront.lanes.agreement import (
    ControlGroup,
    Phase,
    RankStatus,
    StatusCode,
    Verdict,
    data_sequences,
    decide,
)
from mixfront.lanes.error_line import describe
from mixfront.lanes.heartbeat import HeartbeatThread
from mixfront.lanes.mailbox_client import MailboxClient
from mixfront.lanes.messages import Command, CommandKind, Outcome, Reply, WorkerMember
from mixfront.lanes.runner import LocalResult, SessionRunner
from mixfront.lanes.session import make_session, warm_up
from mixfront.lanes.silence import silence_worker
from mixfront.lanes.stall_detector import StallDetector
from mixfront.lanes.step_check import StepCheck
from mixfront.lanes.train_loop import LaneConfig

_OUTCOMES = {
    Verdict.DONE: Outcome.OK,
    Verdict.FAILED: Outcome.FAILED,
    Verdict.DIVERGED: Outcome.FAILED,
    Verdict.ABORTED: Outcome.INTERRUPTED,
}


class LaneRecycled(LaneError):
    """Raised on every rank to have the worker group replaced; not a failure."""


class WorkerGroupFailed(LaneError):
    """Raised on every rank of a group that cannot be used again."""


class LaneWorker:
    """One rank of a lane."""

    def __init__(self, config: LaneConfig) -> None:
        self._config = config
        self._settings = config.settings
        self._mailbox = MailboxClient(config.mailbox)
        self._control = ControlGroup(config.settings.control_timeout_s)
        self._stall_detector = StallDetector()
        self._last_id = 0
        # Ray creates the default group with a longer timeout, to leave time for imports.
        _set_pg_timeout(timedelta(seconds=config.collective_timeout_s), dist.group.WORLD)
        self._runner = self._make_runner()
        silence_worker()
        self._generation = self._join()
        self._heartbeat = HeartbeatThread(
            self._mailbox,
            self._generation,
            self._control.rank,
            self._stall_detector,
            self._settings.heartbeat_interval_s,
        )

    def serve(self) -> None:
        """Run commands until QUIT.

        Raises:
            LaneRecycled: To have the processes replaced.
            WorkerGroupFailed: If the ranks disagree after a failure.
        """
        self._heartbeat.start()
        try:
            while (command := self._next_command()).kind is not CommandKind.QUIT:
                if command.kind is not CommandKind.NOOP:
                    self._execute(command)
        finally:
            self._heartbeat.stop()

    def _make_runner(self) -> SessionRunner:
        device, factory = _device(), make_session
        if self._config.factory is None:
            warm_up(device)
        else:
            factory = cloudpickle.loads(self._config.factory)
        return SessionRunner(
            factory,
            device=device,
            host_margin_mb=self._settings.memory_margin_mb,
            gpu_margin_mb=self._settings.gpu_margin_mb,
            recycle_after=self._config.recycle_after,
        )

    def _join(self) -> int:
        attempt = self._control.broadcast(uuid.uuid4().hex)
        member = WorkerMember(
            rank=self._control.rank,
            pid=os.getpid(),
            handle=ray.get_runtime_context().current_actor,
            placement_group=ray.util.get_current_placement_group(),
            node_id=ray.get_runtime_context().get_node_id(),
        )
        timeout_s = self._settings.start_timeout_s
        generation = self._mailbox.join(attempt, self._control.size, member, timeout_s)
        if generation == 0:
            raise WorkerGroupFailed(f"not all ranks started within {timeout_s:.0f} s")
        return generation

    def _next_command(self) -> Command:
        """The next command, read from the mailbox by rank 0 and the same on all ranks."""
        own = self._read() if self._control.rank == 0 else None
        command: Command = self._control.broadcast(own)
        self._stall_detector.tick()
        self._last_id = max(self._last_id, command.command_id)
        return command

    def _read(self) -> Command:
        noop = Command(command_id=0, kind=CommandKind.NOOP)
        try:
            command = self._mailbox.next_command(
                self._generation, self._last_id, self._settings.noop_interval_s
            )
        except GetTimeoutError:
            return noop
        except RayError:  # the mailbox is gone: the driver died or the lane was closed
            return Command(command_id=0, kind=CommandKind.QUIT)
        return command or noop

    def _execute(self, command: Command) -> None:
        started = time.monotonic()
        check = StepCheck(
            self._control.exchange,
            data_sequences,
            lambda: self._heartbeat.abort_reason(command.command_id),
            self._stall_detector.tick,
            self._settings.check_interval_s,
        )
        local = self._runner.run(command, check)
        self._stall_detector.tick()
        verdict, recycle = self._agree(check, local)
        if check.verdict is not None:  # another rank failed, and its own error says why
            local = replace(local, error=None)
        if verdict is Verdict.KILL:
            self._fail_group(local)
        reply = Reply(
            command_id=command.command_id,
            outcome=_OUTCOMES[verdict],
            evaluation=local.evaluation,
            checkpoint=local.checkpoint,
            seconds=time.monotonic() - started,
        )
        self._send(self._with_reasons(reply, local, recycle))

    def _agree(self, check: StepCheck, local: LocalResult) -> tuple[Verdict, bool]:
        """The verdict of all ranks, and whether any of them needs its processes replaced."""
        if check.verdict is not None:
            return check.verdict, False
        status = RankStatus(
            phase=Phase.END,
            code=local.code,
            recycle=int(local.recycle is not None),
            sequences=data_sequences(),
        )
        has_failed = local.code not in (StatusCode.OK, StatusCode.ABORTED)
        deadline_s = self._settings.agree_after_error_s if has_failed else None
        try:
            statuses = self._control.exchange(status, deadline_s)
        except RuntimeError as error:  # a rank is gone or stuck
            if not has_failed:
                self._mailbox.fail_group(self._generation, describe(error), retry=True)
            return Verdict.KILL, False
        return decide(statuses), any(other.recycle for other in statuses)

    def _fail_group(self, local: LocalResult) -> None:
        """Have the worker group killed, as its collectives may be out of step.

        Raises:
            WorkerGroupFailed: Always.
        """
        if local.error is None:
            time.sleep(self._settings.agree_after_error_s)  # let the failed rank report first
            raise WorkerGroupFailed("another rank failed")
        error = f"rank {self._control.rank}: {local.error}"
        retry = local.code is not StatusCode.DIVERGED
        self._mailbox.fail_group(self._generation, error, retry=retry)
        raise WorkerGroupFailed(error)

    def _with_reasons(self, reply: Reply, local: LocalResult, recycle: bool) -> Reply:
        """The reply with the first error and recycle reason that any rank has."""
        if reply.outcome is Outcome.OK and not recycle:
            return reply
        reasons = self._control.gather((local.error, local.recycle))
        return replace(
            reply,
            error=next((error for error, _ in reasons if error), None),
            recycle=next((recycle for _, recycle in reasons if recycle), None),
        )

    def _send(self, reply: Reply) -> None:
        if self._control.rank == 0:
            self._mailbox.reply(self._generation, reply)
        if reply.recycle is not None:
            self._control.broadcast(None)  # no rank leaves before the mailbox knows why
            raise LaneRecycled(reply.recycle)


def _device() -> str:
    """This worker's device; Ray shows it only the GPUs assigned to it."""
    on_gpu = bool(ray.get_gpu_ids()) and torch.cuda.is_available()
    return f"cuda:{torch.cuda.current_device()}" if on_gpu else "cpu"
