"""What travels between a trial's proxy, the lane's mailbox and its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mixfront.training.evaluation import Evaluation


class CommandKind(StrEnum):
    """What a worker group can be told."""

    SETUP = "setup"  # build a session; payload = a TrialRequest as JSON
    ADVANCE = "advance"  # train to the next evaluation point; at fidelity 1 finish too
    TEARDOWN = "teardown"  # free the session, measure what is left
    QUIT = "quit"  # end the training function
    NOOP = "noop"  # rank 0 to the others, so that no collective waits too long


class Outcome(StrEnum):
    """How a command ended."""

    OK = "ok"
    FAILED = "failed"  # the trial's own fault, agreed by all ranks; the lane goes on
    INTERRUPTED = "interrupted"  # aborted from outside, after a checkpoint
    RESTARTED = "restarted"  # the worker group died or was renewed under it
    REFUSED = "refused"  # the asker does not hold the lane any more, or it is busy
    BROKEN = "broken"  # no worker group will ever come


@dataclass(frozen=True, kw_only=True)
class Command:
    """One order to the worker group. `command_id` rises by one with each."""

    command_id: int
    kind: CommandKind
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer to one command."""

    command_id: int
    outcome: Outcome
    evaluation: Evaluation | None = None
    checkpoint: str | None = None  # URL of the last one, when known
    error: str | None = None
    retry: bool = True  # after RESTARTED: may another worker group do better?
    recycle: str | None = None  # why the worker group renews itself after this
    seconds: float = 0.0  # on rank 0


@dataclass(frozen=True, kw_only=True)
class WorkerMember:
    """One rank of a worker group, as it registers."""

    rank: int
    pid: int
    handle: Any = None  # Ray actor handle, to kill it by
    placement_group: Any = None  # what the Train run reserved


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A heartbeat, sent from a side thread."""

    rank: int
    ticks: int  # steps and commands so far
    stalled_s: float  # since the main loop was last seen to move


@dataclass(frozen=True, kw_only=True)
class HeartbeatReply:
    """The answer to a heartbeat."""

    abort: str | None  # why the command in flight is to stop
    command_id: int  # which one that is; a late answer must not stop the next
    stale: bool  # another worker group has taken over


@dataclass(frozen=True, kw_only=True)
class LaneState:
    """What a mailbox knows of its lane."""

    version: int
    generation: int
    ready: bool
    busy: bool
    loaded_trial: str | None  # trial whose session the workers hold
    consecutive_deaths: int
    deaths: int
    last_error: str | None
    kill_reason: str | None
    broken: str | None
    members: tuple[WorkerMember, ...] = ()
