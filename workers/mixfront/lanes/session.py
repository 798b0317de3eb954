"""The session interface that a lane drives, and the default factory.

`mixfront.training.session.TrialSession` is the real session; tests use small ones.
"""

import gc
from collections.abc import Callable
from typing import Protocol

from mixfront.training.evaluation import Evaluation
from mixfront.training.request import TrialRequest


class Session(Protocol):
    """One trial in one worker group, built on every rank."""

    @property
    def latest(self) -> str | None:
        """URL of the last checkpoint."""

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        """Train to the next evaluation point, evaluate, write a checkpoint.

        Every rank calls `check(step)` after every optimizer step. Once it returns True, the
        session writes a checkpoint and raises AbortedError.

        Raises:
            DivergedError: If the loss is not finite.
            AbortedError: If `check` returned True.
        """

    def finish(self) -> str:
        """Export the model, at full fidelity; returns its URL."""

    def close(self) -> None:
        """Free everything."""


class SessionFactory(Protocol):
    """Builds a session; every rank calls it with the same request."""

    def __call__(self, request: TrialRequest, *, device: str) -> Session:
        """Build it, and load `request.resume_from`."""


def make_session(request: TrialRequest, *, device: str) -> Session:
    """The real session; imported here, so that only workers pay for importing DeepSpeed."""
    from mixfront.training.session import TrialSession

    return TrialSession(request, device=device)


def warm_up(device: str) -> None:
    """Prepare this process and thread for real sessions, so that no trial waits for it.

    A collective of the worker group: it creates process groups.
    """
    import torch

    from mixfront.training.deepspeed.engine import import_deepspeed
    from mixfront.training.deepspeed.process_group import share_group
    from mixfront.training.ranks import Ranks

    # CPUs are slow on numbers below 1e-38, and a cold Sinkhorn is full of them. The setting
    # applies to this thread, which trains, and to those that it starts.
    torch.set_flush_denormal(True)

    import_deepspeed(device)
    Ranks.join(device)
    share_group(device)
    # DeepSpeed's 300,000 objects live as long as the process; without freezing, the collection
    # after each trial scans them again (0.2 s). Never freeze while a model is alive: a frozen
    # reference cycle is never freed.
    gc.collect()
    gc.freeze()
