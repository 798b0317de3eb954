"""Overhead of a trial besides its training steps: a warm lane against a new worker group.

Both run the same code on the same spec: the KuaiRand schema, a default UniMixer, one batch, one
evaluation, one checkpoint, MLflow, ZeRO 2 on two workers. Overhead = wall time minus step time,
median over trials; the first trial of each search, which starts its lane cold, is reported
separately. MIXFRONT_KUAIRAND is the path of the data; without it the benchmark uses synthetic
data and says so in its output.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mixfront.records import RecordStore, TrialRecord, TrialState

TRIALS = 11  # the first starts cold
ONE_BATCH = {
    "train": "date == 20220425 and hour <= 6",
    "validation": "date == 20220505 and hour <= 6",
}
PHASES = ("lease", "setup", "train", "evaluate", "checkpoint", "finish", "teardown")


def main() -> None:
    """Run both searches and print the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        data = os.environ.get("MIXFRONT_KUAIRAND")
        print(f"data: {'KuaiRand' if data else 'synthetic'}")
        overrides = _kuairand(data) if data else _synthetic(Path(folder))
        trials = {mode: _search(mode, overrides, Path(folder)) for mode in ("lane", "process")}
    overhead = {mode: [_overhead(*pair) for pair in pairwise(ts)] for mode, ts in trials.items()}
    medians = {mode: statistics.median(values) for mode, values in overhead.items()}
    _print(trials, overhead, medians)


def _kuairand(data: str) -> list[str]:
    return [f"data.path={data}", *(f"data.{key}={text}" for key, text in ONE_BATCH.items())]


def _synthetic(folder: Path) -> list[str]:
    path = folder / "synthetic"
    _mixfront("data", "synth", str(path), "--rows", "6000", "--seed", "1")
    return [
        f"data.path={path}",
        f"data.schema={path / 'schema.yaml'}",
        "data.train=date == 20260101",
        "data.validation=date == 20260102",
    ]


def _search(isolation: str, overrides: list[str], folder: Path) -> list[TrialRecord]:
    space = folder / "default_unimixer.yaml"
    space.write_text("families: {unimixer: {embedding_dim: 16}}\n")
    settings = [
        *overrides,
        f"name={isolation}",
        f"storage={folder / 'searches'}",
        f"tracking.uri=sqlite:///{folder}/{isolation}.db",
        f"search.trials={TRIALS}",
        f"space={space}",
        "constraints={}",
        "search.enqueue=[]",
        "training={passes: 1, batch_size: 2048, evaluate_every: 1.0}",
        f"trial={{workers: 2, zero_stage: 2, isolation: {isolation}}}",
    ]
    words = [word for setting in settings for word in ("-o", setting)]
    _mixfront("search", "run", "kuairand", *words)
    trials = RecordStore(str(folder / "searches"), isolation).trials()
    assert all(trial.state is TrialState.COMPLETE for trial in trials), "a trial did not complete"
    return trials


def _overhead(before: TrialRecord, trial: TrialRecord) -> float:
    """Wall time from the end of the previous trial to the end of this one, minus step time."""
    assert before.ended is not None
    assert trial.ended is not None
    return trial.ended - before.ended - trial.seconds["train"]


def _print(
    trials: dict[str, list[TrialRecord]],
    overhead: dict[str, list[float]],
    medians: dict[str, float],
) -> None:
    table = Table("isolation", "overhead s (median)", "min", "max", "cold start s", *PHASES)
    for mode, values in overhead.items():
        first = trials[mode][0]
        assert first.started is not None
        assert first.ended is not None
        phases = [
            statistics.median(trial.seconds.get(phase, 0.0) for trial in trials[mode][1:])
            for phase in PHASES
        ]
        table.add_row(
            mode,
            *(f"{x:.2f}" for x in (medians[mode], min(values), max(values))),
            f"{first.ended - first.started - first.seconds['train']:.1f}",
            *(f"{seconds:.2f}" for seconds in phases),
        )
    console = Console(width=140)
    console.print(table)
    console.print(f"lane is {medians['process'] / medians['lane']:.1f} times cheaper per trial")


def _mixfront(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "mixfront.cli", *words],
        check=True,
        env=os.environ | {"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2"},
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
