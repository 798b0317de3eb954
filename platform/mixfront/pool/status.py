"""What the pool says of a lane; imports neither Ray nor torch."""

from dataclasses import dataclass

from mixfront.pool.leases import LaneUse


@dataclass(frozen=True, kw_only=True)
class LaneGrant:
    """A lane leased to a trial."""

    lane: str  # name of its actor
    token: int
    workers: int
    max_failures: int  # worker groups that may die before the trial fails
    lease_s: float  # seconds until the lease expires unless renewed
    restart_s: float | None = None  # wait this long for a new worker group; None: no limit


@dataclass(frozen=True, kw_only=True)
class LaneRefusal:
    """The pool leases no lane to this trial."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class LaneStatus:
    """The state of one lane, for display and for the searcher."""

    lane: int
    use: LaneUse
    warm: bool  # its worker group is up
    trial_id: str | None
    generation: int  # number of worker groups so far
    deaths: int  # number of worker groups that died
    last_error: str | None  # or the reason for the last renewal
    waiting: bool = False  # for resources that others use, or that no node has yet
    usable: bool = False  # a trial trains on it, or could start at once
    needs: str = ""  # its resources, such as "2 x (1 CPU)"
