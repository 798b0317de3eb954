"""Messages between a trial's proxy, the lane's mailbox and its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mixfront.training.evaluation import Evaluation


class CommandKind(StrEnum):
    """Commands to a worker group."""

    SETUP = "setup"  # build a session; the payload is a TrialRequest as JSON
    ADVANCE = "advance"  # train to the next evaluation point; at fidelity 1 also export the model
    TEARDOWN = "teardown"  # free the session and measure the memory that is left
    QUIT = "quit"  # end the training function
    NOOP = "noop"  # from rank 0 to the others, so that no collective times out


class Outcome(StrEnum):
    """How a command ended."""

    OK = "ok"
    FAILED = "failed"  # all ranks agree that the trial failed; the lane stays usable
    INTERRUPTED = "interrupted"  # aborted from outside, after a checkpoint
    RESTARTED = "restarted"  # the worker group died or was replaced during the command
    DRAINED = "drained"  # stopped after a checkpoint, because its node is about to go
    REFUSED = "refused"  # the caller's lease has ended, or the lane is busy
    BROKEN = "broken"  # the lane will never have a worker group again


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command to the worker group. `command_id` rises by one with each."""

    command_id: int
    kind: CommandKind
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The reply to one command."""

    command_id: int
    outcome: Outcome
    evaluation: Evaluation | None = None
    checkpoint: str | None = None  # URL of the last one, if known
    error: str | None = None
    retry: bool = True  # after RESTARTED: whether another worker group may succeed
    recycle: str | None = None  # why the worker group restarts its processes after this command
    seconds: float = 0.0  # on rank 0


@dataclass(frozen=True, kw_only=True)
class WorkerMember:
    """One rank of a worker group, as it registers."""

    rank: int
    pid: int
    handle: Any = None  # Ray actor handle, used to kill it
    placement_group: Any = None  # the one that the Train run reserved
    node_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A heartbeat, sent from a side thread."""

    rank: int
    ticks: int  # steps and commands so far
    stalled_s: float  # since the main loop last made progress


@dataclass(frozen=True, kw_only=True)
class HeartbeatReply:
    """The reply to a heartbeat."""

    abort: str | None  # why the command in flight must stop
    command_id: int  # the command it applies to; a late reply must not stop the next one
    stale: bool  # another worker group has taken over


@dataclass(frozen=True, kw_only=True)
class LaneState:
    """State of a lane, as its mailbox knows it."""

    version: int
    generation: int
    ready: bool
    busy: bool
    loaded_trial: str | None  # the trial whose session the workers hold
    consecutive_deaths: int  # of worker groups, since a command last completed
    deaths: int  # of worker groups, in all
    last_error: str | None
    kill_reason: str | None  # why the worker group must be killed
    broken: str | None  # why there will be no worker group again
    waiting: bool = False  # for its resources
    draining: str | None = None  # why the worker group must move to other nodes
    members: tuple[WorkerMember, ...] = ()
