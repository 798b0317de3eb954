"""KuaiRand for every family: one shape each, the same regularisation search, three seeds.

    python -m tests.bench.kuairand_families --data PATH_TO_KUAIRAND [--family NAME ...]

`--include NAME` adds the results of an earlier run for the families that this run leaves out.

Each family trains with every setting in REGULARISATION. The best one on the validation day is
retrained with three seeds. The test day is scored once, for the table, which is printed as
Markdown. An interrupted run resumes if it is started again.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.metrics import roc_auc_score
from tests.bench.bootstrap import (
    Floats,
    interval,
    mean_of_seeds,
    resampled_counts,
)
from tests.bench.kuairand import SEEDS, mixfront, predict, read_splits
from tests.bench.peers import fit_lightgbm, fit_logistic_regression

from mixfront.data import Schema
from mixfront.records import RecordStore, TrialRecord, TrialState
from mixfront.spaces import load_space
from mixfront.training.metrics import uauc

SPACE = "kuairand_families"
BASELINE = "rankmixer"
REGULARISATION: tuple[dict[str, float], ...] = (
    {"embedding_optimizer.l2": 1e-3, "embedding_optimizer.lr": 1e-2},
    {"embedding_optimizer.l2": 5e-4, "embedding_optimizer.lr": 1e-2},
)
COLUMNS = (
    "family",
    "AUC validation",
    "AUC test",
    "UAUC test",
    "against RankMixer, 95 %",
    "dense params",
    "FLOPs/batch",
    "samples/s",
)


def main() -> None:
    """Run the missing trials and print the table."""
    options = _parse()
    families = options.family or sorted(load_space(SPACE).families)
    settings = [setting | {"family": f} for f in families for setting in REGULARISATION]
    trials = _run_search(options, options.name, settings)
    best = {family: _best(trials, family) for family in families}
    configs = [trial.config | {"seed": seed} for trial in best.values() for seed in SEEDS]
    finals = _run_search(options, f"{options.name}-seeds", configs)
    for name in options.include:
        known = {trial.family for trial in finals}
        earlier = RecordStore(options.storage, f"{name}-seeds").trials()
        finals += [trial for trial in earlier if trial.model_url and trial.family not in known]
    schema, splits = read_splits(options.data)
    for line in table(sorted({trial.family for trial in finals}), finals, schema, splits):
        print(line)


def table(
    families: Iterable[str],
    finals: Sequence[TrialRecord],
    schema: Schema,
    splits: dict[str, pa.Table],
) -> Iterable[str]:
    """Lines of the Markdown table; scores the test day."""
    rows = splits["test"]
    label = rows[schema.label].to_numpy().astype(np.float64)
    user = rows[schema.user].to_numpy()
    counts = resampled_counts(len(label))
    trials = {f: [t for t in finals if t.family == f] for f in families}
    scores = {f: [predict(t, rows) for t in trials[f]] for f in trials}
    peers = {
        "LightGBM": [fit_lightgbm(splits, schema)],
        "logistic regression": [fit_logistic_regression(splits, schema)],
    }
    resampled = {f: mean_of_seeds(label, s, counts) for f, s in (scores | peers).items()}
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|" + " --- |" * len(COLUMNS)
    order = sorted(scores | peers, key=lambda f: -float(resampled[f].mean()))
    for name in order:
        quality = _quality(label, user, (scores | peers)[name])
        against = _against(resampled[name], resampled.get(BASELINE)) if name != BASELINE else ""
        cells = [_validation(trials.get(name, [])), *quality, against, *_cost(trials.get(name))]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _quality(label: Floats, user: Any, scores: Sequence[Floats]) -> list[str]:
    return [
        _spread([roc_auc_score(label, s) for s in scores]),
        _spread([uauc(s, label, user) for s in scores]),
    ]


def _against(resampled: Floats, baseline: Floats | None) -> str:
    if baseline is None:
        return ""
    low, mid, high = interval(resampled - baseline)
    return f"{mid:+.4f} [{low:+.4f}, {high:+.4f}]"


def _validation(trials: Sequence[TrialRecord]) -> str:
    return _spread([trial.metrics["auc"] for trial in trials]) if trials else ""


def _cost(trials: Sequence[TrialRecord] | None) -> list[str]:
    if not trials:
        return ["", "", ""]
    costs = trials[0].costs
    speed = float(np.median([trial.metrics["samples_per_s"] for trial in trials]))
    return [f"{costs['params'] / 1e6:.2f} M", f"{costs['flops'] / 1e9:.1f} G", f"{speed:,.0f}"]


def _spread(values: Sequence[float]) -> str:
    text = f"{np.mean(values):.4f}"
    return f"{text} ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else text


def _best(trials: Sequence[TrialRecord], family: str) -> TrialRecord:
    complete = [t for t in trials if t.family == family and t.state is TrialState.COMPLETE]
    if not complete:
        raise SystemExit(f"no trial of {family} completed")
    return max(complete, key=lambda trial: trial.metrics["auc"])


def _run_search(
    options: argparse.Namespace, name: str, configs: Sequence[dict[str, Any]]
) -> list[TrialRecord]:
    """Trials of a search over exactly these configs; starts or resumes it if needed."""
    store = RecordStore(options.storage, name)
    if not store.exists():
        settings = {
            "data.path": options.data,
            "storage": options.storage,
            "name": name,
            "space": SPACE,
            "constraints": "{}",
            "search.trials": len(configs),
            "search.enqueue": json.dumps(list(configs)),
            "training.precision": options.precision,
        }
        words = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        mixfront("search", "run", "kuairand", *words)
    elif store.search().state != "finished":
        mixfront("search", "resume", name, "--storage", options.storage)
    return [trial for trial in store.trials() if trial.model_url]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=lambda text: str(Path(text).resolve()))
    parser.add_argument("--storage", default=str(Path("mixfront-searches").resolve()))
    parser.add_argument("--name", default="kuairand-families")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--family", action="append", help="Run only this family; repeatable.")
    parser.add_argument(
        "--include", action="append", default=[], help="Name of an earlier run to include."
    )
    return parser.parse_args()


if __name__ == "__main__":
    pd.set_option("mode.copy_on_write", True)
    main()
