"""How ranks agree on the result of a command.

Ranks exchange their status on the control group after each command, and during training at step
numbers that all ranks share. All ranks see the same statuses, so all reach the same verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from mixfront.training.deepspeed.process_group import deepspeed_group
from mixfront.training.ranks import waiting_group


class Phase(IntEnum):
    """When a rank reports its status."""

    CHECK = 0  # during training
    END = 1  # after the command, whether it succeeded or not


class StatusCode(IntEnum):
    """Result of a command on one rank."""

    OK = 0
    FAILED = 1
    DIVERGED = 2
    ABORTED = 3
    COLLECTIVE_FAILED = 4  # timed out, or lost a peer: its group cannot be used again


class Verdict(StrEnum):
    """What all ranks do next."""

    CONTINUE = "continue"
    ABORT = "abort"  # during training: write a checkpoint and stop
    DONE = "done"
    FAILED = "failed"  # on all ranks: the trial fails, the worker group lives on
    DIVERGED = "diverged"  # on at least one rank: the trial fails, the worker group lives on
    ABORTED = "aborted"
    KILL = "kill"  # needs a new group: a collective failed, or may be out of step as ranks differ


class Sequences(NamedTuple):
    """Collectives that a rank has started on each group of its trials.

    If they differ between ranks, one of them left halfway through a step, and its groups cannot
    be used again.
    """

    world: int = 0  # most collectives of ZeRO 3, and the exchange of table rows
    deepspeed: int = 0  # those of ZeRO 0 to 2
    waiting: int = 0  # for slow work of other ranks


NO_COLLECTIVES = Sequences()


@dataclass(frozen=True, kw_only=True)
class RankStatus:
    """Status of one rank. All fields are integers, so one all-gather carries them."""

    phase: Phase
    code: StatusCode = StatusCode.OK
    abort: int = 0  # 1 if the mailbox asks to stop
    next_check: int = 1  # from rank 0: steps until the next check
    recycle: int = 0
    sequences: Sequences = NO_COLLECTIVES


def decide(statuses: Sequence[RankStatus]) -> Verdict:
    """The verdict on the statuses of all ranks."""
    phases = {status.phase for status in statuses}
    codes = {status.code for status in statuses}
    in_step = len({status.sequences for status in statuses}) == 1
    if phases == {Phase.CHECK}:
        abort = any(status.abort for status in statuses)
        return Verdict.ABORT if abort else Verdict.CONTINUE
    if StatusCode.COLLECTIVE_FAILED in codes or (not in_step and codes != {StatusCode.OK}):
        return Verdict.KILL
    if StatusCode.DIVERGED in codes and codes <= {StatusCode.OK, StatusCode.DIVERGED}:
        return Verdict.DIVERGED
    unanimous = {
        StatusCode.OK: Verdict.DONE,
        StatusCode.FAILED: Verdict.FAILED,
        StatusCode.ABORTED: Verdict.ABORTED,
    }
    if phases == {Phase.END} and len(codes) == 1:
        return unanimous[codes.pop()]
    return Verdict.KILL


class ControlGroup:
    """The ranks of one lane on their own gloo group, also when the data group uses NCCL.

    Args:
        timeout_s: Timeout of a collective. Long, as the watchdog catches a hang much sooner.
    """

    def __init__(self, timeout_s: float) -> None:
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self._group = dist.new_group(backend="gloo", timeout=timedelta(seconds=timeout_s))

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self._group)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """All ranks' values in rank order, on every rank."""
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._group)
        return values

    def exchange(self, status: RankStatus, deadline_s: float | None = None) -> list[RankStatus]:
        """All ranks' statuses in rank order, on every rank.

        Raises:
            RuntimeError: If a rank is gone or misses the deadline. The group is unusable then.
        """
        row = torch.tensor(_row_of(status), dtype=torch.int64)
        rows = [torch.zeros_like(row) for _ in range(self.size)]
        work = dist.all_gather(rows, row, group=self._group, async_op=True)
        if work is not None:
            work.wait() if deadline_s is None else work.wait(timedelta(seconds=deadline_s))
        return [_status_of(gathered.tolist()) for gathered in rows]


def _row_of(status: RankStatus) -> list[int]:
    return [
        status.phase,
        status.code,
        status.abort,
        status.next_check,
        status.recycle,
        *status.sequences,
    ]


def _status_of(row: list[int]) -> RankStatus:
    phase, code, abort, next_check, recycle, *sequences = row
    return RankStatus(
        phase=Phase(phase),
        code=StatusCode(code),
        abort=abort,
        next_check=next_check,
        recycle=recycle,
        sequences=Sequences(*sequences),
    )


def data_sequences() -> Sequences:
    """What this rank has started so far."""
    return Sequences(
        world=_sequence(dist.group.WORLD),
        deepspeed=_sequence(deepspeed_group()),
        waiting=_sequence(waiting_group()),
    )


def _sequence(group: Any | None) -> int:
    return int(group._get_sequence_number_for_group()) if group is not None else 0
