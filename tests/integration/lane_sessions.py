"""Small sessions for lanes: real collectives, no models, misbehaviour on request."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from mixfront.exceptions import AbortedError, DivergedError
from mixfront.training.evaluation import Evaluation
from mixfront.training.request import DataRequest, TrialRequest


class FakeSession:
    """Counts to `steps` with an all-reduce per step, and does what `request.model` says.

    Keys of `request.model`:
        steps, evaluations, step_seconds: the course of the trial.
        fail: "error" | "memory" | "nan" | "hang", `at` step, on `rank` (-1: on all),
            before the step's all-reduce.
        once: a path; the misbehaviour happens only if it does not exist yet.
    """

    def __init__(self, request: TrialRequest, *, device: str) -> None:
        assert device == "cpu"
        self._request = request
        self._model = request.model
        self._rank = dist.get_rank()
        self._steps = int(self._model.get("steps", 4))
        self._evaluations = int(self._model.get("evaluations", 2))
        self.latest = request.resume_from
        self.step = json.loads(Path(self.latest).read_text())["step"] if self.latest else 0
        self._misbehave("setup")

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        interval = self._steps // self._evaluations
        target = min(self._steps, (self.step // interval + 1) * interval)
        while self.step < target:
            self._misbehave(self.step)
            total = torch.ones(1)
            dist.all_reduce(total)
            time.sleep(float(self._model.get("step_seconds", 0.0)))
            self.step += 1
            if check is not None and check(self.step):
                self._save()
                raise AbortedError(f"stopped after step {self.step}")
        self._save()
        return Evaluation(
            step=self.step,
            fidelity=self.step / self._steps,
            metrics={"auc": 0.5 + self.step / 1000, "world": float(total.item())},
            checkpoint=str(self.latest),
            seconds={"train": 0.0},
        )

    def finish(self) -> str:
        return f"{self._request.folder}/final"

    def close(self) -> None:
        dist.barrier()

    def _save(self) -> None:
        path = Path(self._request.folder) / f"step-{self.step}.json"
        if self._rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            record = {"step": self.step, "pid": os.getpid()}
            path.write_text(json.dumps(record))
        dist.barrier()
        self.latest = str(path)

    def _misbehave(self, where: int | str) -> None:
        model = self._model
        if "fail" not in model or where != model.get("at", 0):
            return
        if model.get("rank", -1) not in (-1, self._rank):
            return
        once = model.get("once")
        if once is not None:
            if Path(once).exists():
                return
            Path(once).touch()
        _MISDEEDS[model["fail"]]()


def _error() -> None:
    raise RuntimeError("planted error")


def _memory() -> None:
    raise MemoryError("planted shortage")


def _nan() -> None:
    raise DivergedError("the loss is nan, as planted")


def _hang() -> None:
    time.sleep(3600)


_MISDEEDS = {"error": _error, "memory": _memory, "nan": _nan, "hang": _hang}


def fake_request(folder: Path, trial_id: str, **model: Any) -> TrialRequest:
    """A request that only FakeSession understands."""
    from mixfront.training.config import TrainingConfig

    return TrialRequest(
        search_id="fake",
        trial_id=trial_id,
        family="fake",
        model=model,
        data=DataRequest(path="none", train=None, validation="none", encoder="none"),
        training=TrainingConfig(),
        folder=str(folder / trial_id),
    )
