"""How ranks agree on what became of a command.

Every rank tells the others, on the control group, how it stands: after each command, and while
training at agreed step numbers. All ranks see the same list, so all decide alike.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any

import torch
import torch.distributed as dist


class Phase(IntEnum):
    """Where a rank stands when it tells."""

    CHECK = 0  # in the middle of training
    END = 1  # done with the command, one way or the other


class Code(IntEnum):
    """How it went on one rank."""

    OK = 0
    FAILED = 1
    DIVERGED = 2
    ABORTED = 3


class Verdict(StrEnum):
    """What all ranks do next."""

    CONTINUE = "go on"
    ABORT = "abort"  # still training: checkpoint and stop
    DONE = "done"
    FAILED = "failed"  # on all ranks alike: the trial fails in place
    DIVERGED = "diverged"  # on one rank is enough: the trial fails in place
    ABORTED = "aborted"
    KILL = "kill"  # ranks differ, nothing can be said of their collectives: a new worker group


@dataclass(frozen=True, kw_only=True)
class Status:
    """What one rank tells. All fields are integers, so that one all-gather carries them.

    `sequence` counts the rank's collectives on the data group: where it differs between ranks,
    one of them left in the middle of something, and the group cannot be used again.
    """

    phase: Phase
    code: Code = Code.OK
    abort: int = 0  # rank 0: the mailbox says stop
    next_check: int = 1  # rank 0: steps until the next check
    recycle: int = 0
    sequence: int = 0


def decide(told: Sequence[Status]) -> Verdict:
    """The verdict on what the ranks told, by rank."""
    phases = {status.phase for status in told}
    codes = {status.code for status in told}
    in_step = len({status.sequence for status in told}) == 1
    if phases == {Phase.CHECK}:
        return Verdict.ABORT if any(status.abort for status in told) else Verdict.CONTINUE
    if not in_step and codes != {Code.OK}:
        return Verdict.KILL
    if Code.DIVERGED in codes and codes <= {Code.OK, Code.DIVERGED}:
        return Verdict.DIVERGED
    alike = {Code.OK: Verdict.DONE, Code.FAILED: Verdict.FAILED, Code.ABORTED: Verdict.ABORTED}
    if phases == {Phase.END} and len(codes) == 1:
        return alike[codes.pop()]
    return Verdict.KILL


class ControlGroup:
    """The ranks of one lane, on a gloo group of their own (also beside NCCL).

    Args:
        timeout_s: Of a collective. Long: the watchdog finds what hangs much sooner.
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
        """Every rank's value, on every rank, by rank."""
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._group)
        return values

    def exchange(self, status: Status, deadline_s: float | None = None) -> list[Status]:
        """Every rank's status, on every rank, by rank.

        Raises:
            RuntimeError: If a rank is gone, or not there by the deadline; the group is then unfit.
        """
        mine = torch.tensor(astuple(status), dtype=torch.int64)
        told = [torch.zeros_like(mine) for _ in range(self.size)]
        work = dist.all_gather(told, mine, group=self._group, async_op=True)
        if work is not None:
            work.wait() if deadline_s is None else work.wait(timedelta(seconds=deadline_s))
        return [_status_of(row.tolist()) for row in told]


def _status_of(row: list[int]) -> Status:
    phase, code, abort, next_check, recycle, sequence = row
    return Status(
        phase=Phase(phase),
        code=Code(code),
        abort=abort,
        next_check=next_check,
        recycle=recycle,
        sequence=sequence,
    )


def data_sequence() -> int:
    """Number of collectives that this rank has started on the default group."""
    world: Any = dist.group.WORLD  # the method is missing in torch's stubs
    return int(world._get_sequence_number_for_group())
