"""`make demo`: from nothing to a promoted model, on two cores without a GPU.

Everything it makes is in ./demo, and everything it does is a command that you can type yourself.
It exits with 1 if the front does not tell the story that the data were planted for.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HOME = Path("demo")
MARKER = HOME / ".made-by-make-demo"
INSTALLED = Path(sys.prefix, ".installed")  # the Makefile writes how many seconds it took
ROWS, SEED = 100_000, 7
MODEL = "demo-ranker"
TRACKING = "sqlite:///mixfront.db"
TOLERANCE = 1e-6  # between the scores of the registered model and those of the trial

# What the front must be, at least.
MIN_POINTS = 4
MIN_FAMILIES = 2
MIN_FLOPS_RATIO = 10.0  # the largest model's FLOPs over the smallest's
MAX_AUC_GAP = 0.03  # of the best AUC to that of the true probabilities, validation day


def main() -> None:
    """Tell the story, a command at a time."""
    started = time.time()
    fresh_folder()
    os.chdir(HOME)  # mixfront keeps everything in the working directory by default
    for name in ("MIXFRONT_STORAGE", "MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "RAY_ADDRESS"):
        os.environ.pop(name, None)  # the demo is this machine's alone
    tell("1. A data set whose structure we know", "planted interactions, so AUC has a known limit")
    optimum = make_data()
    tell("2. A search", "three families, two DeepSpeed workers a trial, one warm lane")
    mixfront("search", "run", "demo")
    tell("3. The front", "no trial of it beats another in every objective")
    mixfront("pareto", "demo", "--html", "front.html")
    check_front(optimum)
    tell("4. A promotion", "the knee of the front, checked and put into the registry")
    mixfront("promote", "demo", "--pick", "knee", "--name", MODEL)
    tell("5. The registered model scores raw rows")
    worst = check_scores()
    print(f"largest difference to the trial's own scores: {worst:.1e} (allowed {TOLERANCE:.0e})")
    if not worst <= TOLERANCE:
        sys.exit("the registered model does not score as the trained one did")
    what_next(installing_took(INSTALLED), time.time() - started)


def fresh_folder() -> None:
    """Start with an empty ./demo; only one that an earlier demo made is thrown away."""
    if HOME.exists():
        if not MARKER.exists():
            sys.exit(f"{HOME.resolve()} was not made by this demo: move it away first")
        shutil.rmtree(HOME)
    HOME.mkdir()
    MARKER.touch()


def make_data() -> float:
    """Write the data; the AUC of the true click probabilities on the validation day."""
    size = ("--rows", str(ROWS), "--seed", str(SEED))
    made = json.loads(mixfront("data", "synth", "demo-data", *size, "--json", quiet=True))
    optimum = float(made["bayes_auc_validation"])
    print(
        f"{made['num_rows']:,} impressions of {made['num_users']} users and {made['num_items']} "
        f"items. The true probabilities have an AUC of {optimum:.4f} on the\nvalidation day: no "
        f"model can do better. The best sum of one-feature effects has {made['additive_auc']:.4f}:"
        "\nthe rest is interactions."
    )
    return optimum


def check_front(optimum: float) -> None:
    """Say what the front shows; exit with 1 if it is less than it must be."""
    front = json.loads(mixfront("pareto", "demo", "--json", quiet=True))["front"]
    if (fault := fault_of(front, optimum)) is not None:
        sys.exit(f"this front is not what the demo promises: {fault}")
    smallest, largest = min(front, key=flops_of), max(front, key=flops_of)
    print(
        f"The smallest model of the front has an AUC of {auc_of(smallest):.3f}; with "
        f"{flops_of(largest) / flops_of(smallest):.0f} times its FLOPs\nthe largest has "
        f"{auc_of(largest):.3f}. The true probabilities have {optimum:.3f}."
    )


def fault_of(front: Sequence[dict[str, Any]], optimum: float) -> str | None:
    """What a front lacks, in one sentence; None if it lacks nothing.

    Args:
        front: Points as `mixfront pareto --json` prints them, with the values auc and flops.
        optimum: The AUC of the true click probabilities on the same rows.
    """
    if len(front) < MIN_POINTS:
        return f"it has {len(front)} points, and {MIN_POINTS} are wanted"
    families = sorted({point["family"] for point in front})
    if len(families) < MIN_FAMILIES:
        return f"all its points are of {families[0]}, and {MIN_FAMILIES} families are wanted"
    ratio = max(map(flops_of, front)) / min(map(flops_of, front))
    if ratio < MIN_FLOPS_RATIO:
        return (
            f"its largest model has {ratio:.1f} times the FLOPs of its smallest, and "
            f"{MIN_FLOPS_RATIO:g} times are wanted"
        )
    best = max(map(auc_of, front))
    if best < optimum - MAX_AUC_GAP:
        return (
            f"its best AUC is {best:.4f}, more than {MAX_AUC_GAP:g} below the {optimum:.4f} of "
            "the true probabilities"
        )
    return None


def flops_of(point: dict[str, Any]) -> float:
    """Training FLOPs per 2,048 samples."""
    return float(point["values"]["flops"])


def auc_of(point: dict[str, Any]) -> float:
    """On the validation day."""
    return float(point["values"]["auc"])


def check_scores() -> float:
    """Largest difference between the champion's scores and those that the trial left behind."""
    import mlflow
    import numpy as np
    import pyarrow.parquet as pq

    mlflow.set_tracking_uri(TRACKING)
    version = mlflow.MlflowClient().get_model_version_by_alias(MODEL, "champion")
    trial = version.tags["mixfront.trial_id"]
    final = Path("mixfront-searches", "demo", "trials", trial, "final")
    own = np.asarray(json.loads((final / "sample_scores.json").read_text())["scores"])
    served = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    rows = pq.read_table(final / "sample.parquet").to_pandas()
    scores = np.asarray(served.predict(rows)).reshape(-1)
    print(f"{len(rows)} raw rows through models:/{MODEL}@champion, the first scores {scores[:4]}")
    return float(np.abs(scores - own).max())


def installing_took(stamp: Path) -> str:
    """How long installing took, in words, by the stamp that the Makefile leaves."""
    seconds = stamp.read_text().strip() if stamp.exists() else ""
    return f"{int(seconds) / 60:.1f} minutes" if seconds.isdigit() else "an unknown time"


def what_next(installing: str, seconds: float) -> None:
    """End with the times, and what to try."""
    print(
        f"""
Installing took {installing} (once), all of the above {seconds / 60:.1f} minutes. What to try next:

  cd {HOME} && source ../.venv/bin/activate
  open front.html                                        the front, interactive
  mlflow ui --backend-store-uri {TRACKING}   browse the trials
  export MLFLOW_TRACKING_URI={TRACKING}
  mlflow models serve -m models:/{MODEL}@champion --env-manager local
  mixfront trials demo                                   every trial, also the failed ones
  mixfront data inspect YOUR_PARQUET                     a schema for your own logs
  mixfront search run --help                             then a search on them
"""
    )


def tell(title: str, subtitle: str = "") -> None:
    """A headline of the story."""
    print(f"\n\033[1m{title}\033[0m" + (f": {subtitle}" if subtitle else ""), flush=True)


def mixfront(*words: str, quiet: bool = False) -> str:
    """One command, shown before it is run; `quiet` returns what it prints."""
    print(f"$ mixfront {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "mixfront.cli", *words]
    output = subprocess.PIPE if quiet else None
    done = subprocess.run(command, check=False, stdout=output, text=True)
    if done.returncode:
        sys.exit(f"mixfront {words[0]} ended with exit status {done.returncode}")
    return done.stdout or ""


if __name__ == "__main__":
    main()
