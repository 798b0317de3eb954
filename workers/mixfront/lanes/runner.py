"""Runs commands on one rank: builds, advances and frees its session."""

import gc
import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist

from mixfront.exceptions import AbortedError, DivergedError
from mixfront.lanes.agreement import StatusCode
from mixfront.lanes.error_line import describe
from mixfront.lanes.memory import MemoryUsage, excess, measure
from mixfront.lanes.messages import Command, CommandKind
from mixfront.lanes.session import Session, SessionFactory
from mixfront.training.evaluation import Evaluation
from mixfront.training.request import TrialRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LocalResult:
    """Result of a command on this rank."""

    code: StatusCode
    evaluation: Evaluation | None = None
    checkpoint: str | None = None
    error: str | None = None
    recycle: str | None = None


class SessionRunner:
    """Holds at most one session.

    Args:
        factory: Builds a session.
        device: Where it trains, "cpu" or "cuda:0".
        host_margin_mb: Host memory allowed above what the first trial left.
        gpu_margin_mb: Device memory allowed above what the first trial left.
        recycle_after: Trials after which the processes are replaced.
        measure: Measures the memory in use.
    """

    def __init__(
        self,
        factory: SessionFactory,
        *,
        device: str,
        host_margin_mb: float,
        gpu_margin_mb: float,
        recycle_after: int,
        measure: Callable[[], MemoryUsage] = measure,
    ) -> None:
        self._factory = factory
        self._device = device
        self._margins = (host_margin_mb, gpu_margin_mb)
        self._recycle_after = recycle_after
        self._measure = measure
        self._session: Session | None = None
        self._trials = 0
        self._baseline: MemoryUsage | None = None
        self._cuda_error: str | None = None

    def run(self, command: Command, check: Callable[[int], bool]) -> LocalResult:
        """Run a command; an error that the session raises becomes part of the result."""
        try:
            return self._execute(command, check)
        except DivergedError as error:
            return self._failure(StatusCode.DIVERGED, error)
        except AbortedError as error:
            return self._failure(StatusCode.ABORTED, error)
        except Exception as error:
            failed = StatusCode.COLLECTIVE_FAILED if _is_collective(error) else StatusCode.FAILED
            return self._failure(failed, error)

    def _execute(self, command: Command, check: Callable[[int], bool]) -> LocalResult:
        if command.kind is CommandKind.SETUP:
            self._close_session()
            self._setup(command.payload)
            return LocalResult(code=StatusCode.OK)
        if command.kind is CommandKind.ADVANCE:
            return LocalResult(code=StatusCode.OK, evaluation=self._advance(check))
        self._close_session()
        return LocalResult(code=StatusCode.OK, recycle=self._recycle_reason())

    def _setup(self, payload: Mapping[str, Any]) -> None:
        self._trials += 1
        request = TrialRequest.model_validate(payload)
        self._session = self._factory(request, device=self._device)

    def _advance(self, check: Callable[[int], bool]) -> Evaluation:
        assert self._session is not None
        evaluation = self._session.advance(check)
        if evaluation.fidelity >= 1.0 and evaluation.model_url is None:
            return evaluation.model_copy(update={"model_url": self._session.finish()})
        return evaluation

    def _close_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _recycle_reason(self) -> str | None:
        """Why the processes must be replaced before the next trial, or None."""
        usage = self._measure()
        if self._baseline is None:
            self._baseline = usage  # on a GPU, with cuBLAS's workspaces, which stay
            gc.freeze()  # libraries stay loaded: spare every later collection from scanning them
        if self._cuda_error is not None:
            return self._cuda_error
        if self._trials >= self._recycle_after:
            return f"{self._trials} trials ran in these processes"
        return excess(usage, self._baseline, *self._margins)

    def _failure(self, code: StatusCode, error: Exception) -> LocalResult:
        if _is_cuda_error(error):
            self._cuda_error = f"after a CUDA error: {describe(error)}"
        logger.warning("the command ended as %s on this rank", code.name, exc_info=error)
        traceback.clear_frames(error.__traceback__)  # their locals hold tensors
        checkpoint = self._session.latest if self._session is not None else None
        return LocalResult(code=code, checkpoint=checkpoint, error=describe(error))


def _is_cuda_error(error: Exception) -> bool:
    return "CUDA" in str(error) or type(error).__name__ == "AcceleratorError"


def _is_collective(error: Exception) -> bool:
    """Whether a collective failed; Gloo's errors are plain RuntimeErrors that name its sources."""
    return isinstance(error, dist.DistError) or "/gloo/" in str(error)
