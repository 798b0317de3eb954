"""Training runs of the study, and the file that keeps their results."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mixfront.models import make_config


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model, trained once. `key` identifies it by everything that changes its result.

    Two runs that differ only in label and size, which are for tables, are the same model.
    """

    label: str
    size: str
    family: str
    model: Mapping[str, Any]
    training: Mapping[str, Any]  # the `training:` section, without the seed
    seed: int

    @property
    def key(self) -> str:
        """Different for different models or training, and a valid file name."""
        config = make_config(self.family, self.model).model_dump(mode="json")  # with defaults
        facts = [self.family, config, dict(self.training), self.seed]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
        rate = self.training["optimizer"]["lr"]
        return f"{self.family}-lr{rate:g}-seed{self.seed}-{digest}"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The outcome of a run; its scores of the evaluation rows are in `scores/KEY.npy`."""

    key: str
    label: str
    size: str
    seed: int
    learning_rate: float
    params: float  # dense
    flops: float  # of a training step on 2,048 rows
    validation_auc: float
    auc: float  # on the evaluation rows
    train_loss: float
    seconds: float
    samples_per_s: float


class ResultFile:
    """JSON lines, one per run, appended when the run is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, RunResult]:
        """Key -> result. A line that a killed process left incomplete is ignored."""
        if not self.path.exists():
            return {}
        whole, _, _ = self.path.read_text().rpartition("\n")
        results = (RunResult(**json.loads(line)) for line in whole.splitlines())
        return {result.key: result for result in results}

    def append(self, result: RunResult) -> None:
        """Add a line after the last complete one, and wait until it is on disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(json.dumps(asdict(result)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def missing(runs: Iterable[Run], results: Mapping[str, RunResult]) -> list[Run]:
    """The runs without a result, each once."""
    return list({run.key: run for run in runs if run.key not in results}.values())
