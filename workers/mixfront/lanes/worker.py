"""The function that Ray Train runs on every worker of a lane, for as long as the lane lives."""

import os
import time
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import ray
import torch
import torch.distributed as dist
from ray import cloudpickle
from ray.exceptions import GetTimeoutError, RayError
from torch.distributed.distributed_c10d import _set_pg_timeout

from mixfront.exceptions import LaneError
from mixfront.lanes.agreement import (
    Code,
    ControlGroup,
    Phase,
    Status,
    Verdict,
    data_sequence,
    decide,
)
from mixfront.lanes.config import LaneSettings
from mixfront.lanes.heartbeat import HeartbeatThread
from mixfront.lanes.mailbox_client import MailboxClient
from mixfront.lanes.messages import Command, CommandKind, Outcome, Reply, WorkerMember
from mixfront.lanes.runner import LocalResult, SessionRunner, describe
from mixfront.lanes.session import make_session, warm_up
from mixfront.lanes.silence import silence_worker
from mixfront.lanes.stall_detector import StallDetector
from mixfront.lanes.step_check import StepCheck

_OUTCOMES = {
    Verdict.DONE: Outcome.OK,
    Verdict.FAILED: Outcome.FAILED,
    Verdict.DIVERGED: Outcome.FAILED,
    Verdict.ABORTED: Outcome.INTERRUPTED,
}


class LaneRecycled(LaneError):
    """Raised on every rank to have the worker group renewed; not a failure."""


class LaneCondemned(LaneError):
    """Raised on every rank of a group that cannot be used again."""


@dataclass(frozen=True, kw_only=True)
class LaneConfig:
    """What a worker is started with."""

    mailbox: Any  # Ray actor handle
    settings: LaneSettings
    collective_timeout_s: float
    recycle_after: int
    factory: bytes | None = None  # cloudpickled SessionFactory of this very driver; None: the real


def lane_loop(config: dict[str, Any]) -> None:
    """`train_loop_per_worker`: `config` is {"lane": LaneConfig}."""
    LaneWorker(config["lane"]).serve()


class LaneWorker:
    """One rank of a lane."""

    def __init__(self, config: LaneConfig) -> None:
        self._config = config
        self._settings = config.settings
        self._link = MailboxClient(config.mailbox)
        self._control = ControlGroup(config.settings.control_timeout_s)
        self._progress = StallDetector()
        self._last_id = 0
        # Ray made the default group with a timeout that leaves time for imports.
        _set_pg_timeout(timedelta(seconds=config.collective_timeout_s), dist.group.WORLD)
        self._runner = self._make_runner()
        silence_worker()
        self._generation = self._join()
        self._heart = HeartbeatThread(
            self._link,
            self._generation,
            self._control.rank,
            self._progress,
            self._settings.heartbeat_interval_s,
        )

    def serve(self) -> None:
        """Obey commands until told to quit.

        Raises:
            LaneRecycled: To have the processes renewed.
            LaneCondemned: After a failure that the ranks do not share.
        """
        self._heart.start()
        try:
            while (command := self._next_command()).kind is not CommandKind.QUIT:
                if command.kind is not CommandKind.NOOP:
                    self._obey(command)
        finally:
            self._heart.stop()

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
        )
        timeout_s = self._settings.start_timeout_s
        generation = self._link.join(attempt, self._control.size, member, timeout_s)
        if generation == 0:
            raise LaneCondemned(f"not all ranks came up within {timeout_s:.0f} s")
        return generation

    def _next_command(self) -> Command:
        """The same on all ranks; rank 0 reads it from the mailbox."""
        mine = self._read() if self._control.rank == 0 else None
        command: Command = self._control.broadcast(mine)
        self._progress.tick()
        self._last_id = max(self._last_id, command.command_id)
        return command

    def _read(self) -> Command:
        noop = Command(command_id=0, kind=CommandKind.NOOP)
        try:
            found = self._link.next_command(
                self._generation, self._last_id, self._settings.noop_interval_s
            )
        except GetTimeoutError:
            return noop
        except RayError:  # the mailbox is gone: so is the driver, or the lane was closed
            return Command(command_id=0, kind=CommandKind.QUIT)
        return found or noop

    def _obey(self, command: Command) -> None:
        started = time.monotonic()
        check = StepCheck(
            self._control.exchange,
            data_sequence,
            lambda: self._heart.abort_of(command.command_id),
            self._progress.tick,
            self._settings.check_interval_s,
        )
        local = self._runner.run(command, check)
        self._progress.tick()
        verdict, recycle = self._agree(check, local)
        if check.verdict is not None:  # this rank was told: the others say why
            local = replace(local, error=None)
        if verdict is Verdict.KILL:
            self._condemn(local)
        reply = Reply(
            command_id=command.command_id,
            outcome=_OUTCOMES[verdict],
            evaluation=local.evaluation,
            checkpoint=local.checkpoint,
            seconds=time.monotonic() - started,
        )
        self._answer(self._with_texts(reply, local, recycle))

    def _agree(self, check: StepCheck, local: LocalResult) -> tuple[Verdict, bool]:
        """The verdict of all ranks, and whether any wants new processes."""
        if check.verdict is not None:
            return check.verdict, False
        mine = Status(
            phase=Phase.END,
            code=local.code,
            recycle=int(local.recycle is not None),
            sequence=data_sequence(),
        )
        alone = local.code in (Code.FAILED, Code.DIVERGED)
        try:
            told = self._control.exchange(
                mine, self._settings.agree_after_error_s if alone else None
            )
        except RuntimeError as error:  # a rank is gone or stuck
            if not alone:
                self._link.fail_group(self._generation, describe(error), retry=True)
            return Verdict.KILL, False
        return decide(told), any(status.recycle for status in told)

    def _condemn(self, local: LocalResult) -> None:
        """Have the worker group killed: nothing is known of its collectives any more.

        Raises:
            LaneCondemned: Always.
        """
        if local.error is None:
            time.sleep(self._settings.agree_after_error_s)  # the rank that failed speaks first
            raise LaneCondemned("another rank failed")
        error = f"rank {self._control.rank}: {local.error}"
        self._link.fail_group(self._generation, error, retry=local.code is not Code.DIVERGED)
        raise LaneCondemned(error)

    def _with_texts(self, reply: Reply, local: LocalResult, recycle: bool) -> Reply:
        """Add what the ranks have to say, if any has."""
        if reply.outcome is Outcome.OK and not recycle:
            return reply
        texts = self._control.gather((local.error, local.recycle))
        return replace(
            reply,
            error=next((error for error, _ in texts if error), None),
            recycle=next((why for _, why in texts if why), None),
        )

    def _answer(self, reply: Reply) -> None:
        if self._control.rank == 0:
            self._link.reply(self._generation, reply)
        if reply.recycle is not None:
            self._control.broadcast(None)  # nobody leaves before the mailbox knows why
            raise LaneRecycled(reply.recycle)


def _device() -> str:
    """Ray shows a worker its own GPUs only."""
    on_gpu = bool(ray.get_gpu_ids()) and torch.cuda.is_available()
    return f"cuda:{torch.cuda.current_device()}" if on_gpu else "cpu"
