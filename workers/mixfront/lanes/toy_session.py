"""A session that trains no model: it runs real collectives, and injects faults on request.

It exercises a lane without data, in tests and to measure the overhead of the lane itself.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
import torch.distributed as dist
from pydantic import BaseModel, ConfigDict

from mixfront.exceptions import AbortedError, DivergedError
from mixfront.training.config import TrainingConfig
from mixfront.training.evaluation import Evaluation
from mixfront.training.request import DataRequest, TrialRequest

_HANG_S = 3600.0


class ToyScript(BaseModel):
    """What a ToySession does; sent as `TrialRequest.model`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = 4
    evaluations: int = 2
    step_seconds: float = 0.0
    fault: Literal["error", "memory", "nan", "hang"] | None = None
    before_step: int = 0  # the fault comes before this step's all-reduce
    rank: int | None = None  # the faulty one; None = all ranks
    once: str | None = None  # prefix of marker files, which make the fault happen only once
    leak_mb: int = 0  # memory that stays allocated after the session is closed

    def request(self, folder: str, trial_id: str, resume_from: str | None = None) -> TrialRequest:
        """Request for a trial that follows this script."""
        return TrialRequest(
            search_id="toy",
            trial_id=trial_id,
            family="toy",
            model=self.model_dump(),
            data=DataRequest(path="", train=None, validation="", encoder=""),
            training=TrainingConfig(),
            folder=f"{folder}/{trial_id}",
            resume_from=resume_from,
        )


class ToySession:
    """Runs a ToyScript; implements `mixfront.lanes.session.Session`.

    Args:
        request: `model` is a ToyScript; `folder` is a local path.
        device: Unused.
    """

    _leaked: list[torch.Tensor] = []  # noqa: RUF012 - shared on purpose, to outlive sessions

    def __init__(self, request: TrialRequest, *, device: str) -> None:
        self._device = device
        self._folder = Path(request.folder)
        self._script = ToyScript.model_validate(request.model)
        self._rank = dist.get_rank()
        self.latest = request.resume_from
        self._step = json.loads(Path(self.latest).read_text())["step"] if self.latest else 0
        self._leaked.append(torch.ones(self._script.leak_mb * 2**18))

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        """Run one all-reduce per step, up to the next evaluation.

        Raises:
            AbortedError: If `check` returned True.
        """
        script, total = self._script, torch.zeros(1)
        interval = max(1, script.steps // script.evaluations)
        target = min(script.steps, (self._step // interval + 1) * interval)
        while self._step < target:
            self._inject_fault()
            total = torch.ones(1)
            dist.all_reduce(total)
            time.sleep(script.step_seconds)
            self._step += 1
            if check is not None and check(self._step):
                raise AbortedError(
                    f"stopped after step {self._step}, with a checkpoint at {self._save()}"
                )
        return Evaluation(
            step=self._step,
            fidelity=self._step / script.steps,
            metrics={"auc": 0.5 + self._step / 1000, "ranks": total.item()},
            checkpoint=self._save(),
            seconds={"train": 0.0, "evaluate": 0.0, "checkpoint": 0.0},
        )

    def finish(self) -> str:
        """The URL of the model; nothing is exported."""
        return f"{self._folder}/final"

    def close(self) -> None:
        """Wait for the other ranks."""
        dist.barrier()

    def _save(self) -> str:
        path = self._folder / f"step-{self._step}.json"
        if self._rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"step": self._step, "pid": os.getpid()}))
        dist.barrier()
        self.latest = str(path)
        return self.latest

    def _inject_fault(self) -> None:
        script = self._script
        if script.fault is None or self._step != script.before_step:
            return
        if script.rank not in (None, self._rank):
            return
        if script.once is not None:
            marker = Path(f"{script.once}-{self._rank}")
            if marker.exists():
                return
            marker.touch()
        _FAULTS[script.fault]()


def _error() -> None:
    raise RuntimeError("injected error")


def _memory() -> None:
    raise MemoryError("injected out-of-memory error")


def _nan() -> None:
    raise DivergedError("injected error: the loss is nan")


def _hang() -> None:
    time.sleep(_HANG_S)


_FAULTS: dict[str, Callable[[], None]] = {
    "error": _error,
    "memory": _memory,
    "nan": _nan,
    "hang": _hang,
}
