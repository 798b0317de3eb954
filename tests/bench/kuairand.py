"""KuaiRand, end to end: search, retrain the best trial with three seeds, score the test day once.

    python -m tests.bench.kuairand --data PATH_TO_KUAIRAND

The trial with the best validation AUC is retrained with three seeds. LightGBM and a logistic
regression are fitted on the same rows. Confidence intervals of differences come from a paired
bootstrap over the rows of the test day.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score
from tests.bench.bootstrap import interval, mean_of_seeds, resampled_aucs, resampled_counts
from tests.bench.peers import fit_lightgbm, fit_logistic_regression

from mixfront.data import Schema, load_schema, open_dataset
from mixfront.records import RecordStore, TrialRecord, TrialState
from mixfront.spec.search_spec import load_spec
from mixfront.training.metrics import uauc
from mixfront.training.predict import Predictor

Scores = npt.NDArray[np.float64]
SEEDS = (1, 2, 3)
TEST = "date == 20220506"


def main() -> None:
    """Run the search and the retraining, and print the table."""
    options = _parse()
    mixfront("search", "run", "kuairand", *_overrides(options, f"{options.name}"))
    best = best_on_validation(RecordStore(options.storage, options.name))
    enqueue = [best.config | {"seed": seed} for seed in SEEDS]
    overrides = _overrides(options, f"{options.name}-seeds")
    overrides += [
        "-o",
        f"search.enqueue={json.dumps(enqueue)}",
        "-o",
        f"search.trials={len(SEEDS)}",
    ]
    mixfront("search", "run", "kuairand", *overrides)
    retrained = RecordStore(options.storage, f"{options.name}-seeds").trials()
    report(options, best, [trial for trial in retrained if trial.model_url])


def best_on_validation(store: RecordStore) -> TrialRecord:
    """The complete trial with the highest validation AUC."""
    trials = store.trials()
    unfinished = [t.trial_id for t in trials if not t.state.is_finished]
    if unfinished:
        raise SystemExit(f"trials {unfinished} did not finish")
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return max(complete, key=lambda trial: trial.metrics["auc"])


def report(options: argparse.Namespace, best: TrialRecord, finals: list[TrialRecord]) -> None:
    """Score the test day once with every model, and print the results."""
    schema, splits = read_splits(options.data)
    label = splits["test"][schema.label].to_numpy().astype(np.float64)
    user = splits["test"][schema.user].to_numpy()
    scores = {f"seed {t.config['seed']}": predict(t, splits["test"]) for t in finals}
    peers = {
        "LightGBM": fit_lightgbm(splits, schema),
        "logistic regression": fit_logistic_regression(splits, schema),
    }
    table = Table("model", "AUC test", "UAUC test", title=f"best: {best.family} {best.config}")
    for name, score in (scores | peers).items():
        table.add_row(
            name, f"{roc_auc_score(label, score):.4f}", f"{uauc(score, label, user):.4f}"
        )
    console = Console(width=160)
    console.print(table)
    aucs = [roc_auc_score(label, score) for score in scores.values()]
    console.print(f"mean test AUC {np.mean(aucs):.4f} ± {np.std(aucs, ddof=1):.4f} (sd of seeds)")
    counts = resampled_counts(len(label))
    ours = mean_of_seeds(label, list(scores.values()), counts)
    for name, peer in peers.items():
        low, mid, high = interval(ours - resampled_aucs(label, peer, counts))
        console.print(f"against {name}: {mid:+.4f}, 95 % interval [{low:+.4f}, {high:+.4f}]")


def read_splits(data: str) -> tuple[Schema, dict[str, pa.Table]]:
    """The schema, and the raw rows of the training, validation and test splits."""
    spec = load_spec("kuairand", [f"data.path={data}"])
    assert spec.data.train is not None
    filters = {"train": spec.data.train, "validation": spec.data.validation, "test": TEST}
    dataset = open_dataset(data)
    tables = {name: pa.concat_tables(dataset.scan(text)) for name, text in filters.items()}
    return load_schema(spec.data.schema_), tables


def predict(trial: TrialRecord, table: pa.Table) -> Scores:
    """Scores of raw rows from the model that a trial exported."""
    assert trial.model_url is not None
    return Predictor.load(trial.model_url).predict(table).astype(np.float64)


def _overrides(options: argparse.Namespace, name: str) -> list[str]:
    pairs = {"data.path": options.data, "storage": options.storage, "name": name}
    extra = [] if options.trials is None else ["-o", f"search.trials={options.trials}"]
    return [part for key, value in pairs.items() for part in ("-o", f"{key}={value}")] + extra


def mixfront(*words: str) -> None:
    """Run one command and print its wall time."""
    started = time.time()
    subprocess.run([sys.executable, "-m", "mixfront.cli", *words], check=True)
    print(f"mixfront {' '.join(words[:3])}: {time.time() - started:.0f} s wall")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=lambda text: str(Path(text).resolve()))
    parser.add_argument("--storage", default=str(Path("mixfront-searches").resolve()))
    parser.add_argument("--name", default="kuairand")
    parser.add_argument("--trials", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    pd.set_option("mode.copy_on_write", True)
    main()
