"""What a lane asks of a trial's session, and which one it makes unless told otherwise.

`mixfront.training.session.TrialSession` is the real one; tests hand over small ones.
"""

import gc
from collections.abc import Callable
from typing import Protocol

from mixfront.training.evaluation import Evaluation
from mixfront.training.request import TrialRequest


class Session(Protocol):
    """One trial in one worker group, made on every rank."""

    @property
    def latest(self) -> str | None:
        """URL of its last checkpoint."""

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        """Train to the next evaluation point, evaluate, write a checkpoint.

        `check(step)` is called after every optimizer step on every rank; once it returns True,
        the session writes a checkpoint and raises AbortedError.

        Raises:
            DivergedError: If the loss is not finite.
            AbortedError: If `check` asked for it.
        """

    def finish(self) -> str:
        """At full fidelity: export the model; its URL."""

    def close(self) -> None:
        """Free everything."""


class SessionFactory(Protocol):
    """Makes a session, on every rank alike."""

    def __call__(self, request: TrialRequest, *, device: str) -> Session:
        """Build it, and load `request.resume_from`."""


def make_session(request: TrialRequest, *, device: str) -> Session:
    """The real session; imported late, so that only workers pay for DeepSpeed."""
    from mixfront.training.session import TrialSession

    return TrialSession(request, device=device)


def warm_up(device: str) -> None:
    """Ready process and thread for the real session, before the first trial waits for it."""
    import torch

    from mixfront.training.deepspeed.engine import import_deepspeed

    # Numbers below 1e-38 are slow on a processor; a cold Sinkhorn is full of them. For this
    # thread, which trains, and those that it starts.
    torch.set_flush_denormal(True)

    import_deepspeed(device)
    # DeepSpeed's 300,000 objects live as long as the process; each trial's end would look at
    # them again (0.2 s). Not while a model is alive: what is frozen in a cycle is never freed.
    gc.collect()
    gc.freeze()
