"""The function that Ray Train runs on every worker of a lane, and its argument; without torch.

The lane's actor and Ray Train's controller import this module. Only workers need torch, which
takes 130 MB per process.
"""

from dataclasses import dataclass
from typing import Any

from mixfront.lanes.config import LaneSettings


@dataclass(frozen=True, kw_only=True)
class LaneConfig:
    """Arguments of a worker."""

    mailbox: Any  # Ray actor handle
    settings: LaneSettings
    collective_timeout_s: float
    recycle_after: int
    factory: bytes | None = None  # cloudpickled SessionFactory; None = `make_session`


def lane_loop(config: dict[str, Any]) -> None:
    """Ray Train's `train_loop_per_worker`; `config` is {"lane": LaneConfig}."""
    from mixfront.lanes.worker import LaneWorker

    LaneWorker(config["lane"]).serve()
