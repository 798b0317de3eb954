"""`make demo`: from nothing to a promoted model, on two cores without a GPU.

All its files are in ./demo, and every step is a command that you can run yourself. It exits with
status 1 if the front has too few points or families, too narrow a range of FLOPs, or too low an
AUC.
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
INSTALLED = Path(sys.prefix, ".installed")  # the Makefile writes the installation's seconds to it
ROWS, SEED = 100_000, 7
MODEL = "demo-ranker"
TRACKING = "sqlite:///mixfront.db"
TOLERANCE = 1e-6  # maximum difference between the registered model's scores and the trial's

# Minimum requirements of the front.
MIN_POINTS = 4
MIN_FAMILIES = 2
MIN_FLOPS_RATIO = 10.0  # the largest model's FLOPs over the smallest's
MAX_AUC_GAP = 0.03  # from the best AUC to that of the true probabilities, validation day


def main() -> None:
    """Run the demo, one command at a time."""
    started = time.time()
    fresh_folder()
    os.chdir(HOME)  # mixfront keeps everything in the working directory by default
    for name in ("MIXFRONT_STORAGE", "MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "RAY_ADDRESS"):
        os.environ.pop(name, None)  # the demo only uses this machine
    print_step(
        "1. A data set whose structure we know", "planted interactions, so AUC has a known limit"
    )
    optimum = make_data()
    print_step("2. A search", "three families, two DeepSpeed workers per trial, one warm lane")
    mixfront("search", "run", "demo")
    print_step("3. The front", "the trials that no other trial dominates")
    mixfront("pareto", "demo", "--html", "front.html", "--picture", "front.svg")
    check_front(optimum)
    print_step("4. A promotion", "the knee of the front, checked and registered")
    mixfront("promote", "demo", "--pick", "knee", "--name", MODEL)
    print_step("5. The registered model scores raw rows")
    worst = check_scores()
    print(f"largest difference from the trial's scores: {worst:.1e} (allowed {TOLERANCE:.0e})")
    if not worst <= TOLERANCE:
        sys.exit("the registered model's scores differ from the trained model's")
    what_next(installing_took(INSTALLED), time.time() - started)


def fresh_folder() -> None:
    """Create an empty ./demo; an existing one is only deleted if an earlier demo made it."""
    if HOME.exists():
        if not MARKER.exists():
            sys.exit(f"{HOME.resolve()} was not made by this demo; move it away first")
        shutil.rmtree(HOME)
    HOME.mkdir()
    MARKER.touch()


def make_data() -> float:
    """Write the data, and return the AUC of the true click probabilities (validation day)."""
    size = ("--rows", str(ROWS), "--seed", str(SEED))
    made = json.loads(mixfront("data", "synth", "demo-data", *size, "--json", quiet=True))
    optimum = float(made["bayes_auc_validation"])
    print(
        f"{made['num_rows']:,} impressions of {made['num_users']} users and {made['num_items']} "
        f"items. The true probabilities have an AUC of {optimum:.4f} on the\nvalidation day: no "
        f"model can do better. The best sum of one-feature effects has {made['additive_auc']:.4f};"
        "\na higher AUC needs interactions."
    )
    return optimum


def check_front(optimum: float) -> None:
    """Describe the front, or exit with status 1 if it misses a requirement."""
    front = json.loads(mixfront("pareto", "demo", "--json", quiet=True))["front"]
    if (fault := fault_of(front, optimum)) is not None:
        sys.exit(f"this front misses the demo's requirements: {fault}")
    smallest, largest = min(front, key=flops_of), max(front, key=flops_of)
    print(
        f"The smallest model of the front has an AUC of {auc_of(smallest):.3f}; with "
        f"{flops_of(largest) / flops_of(smallest):.0f} times its FLOPs\nthe largest has "
        f"{auc_of(largest):.3f}. The true probabilities have {optimum:.3f}."
    )


def fault_of(front: Sequence[dict[str, Any]], optimum: float) -> str | None:
    """The first requirement that a front misses, in one sentence, or None.

    Args:
        front: Points as `mixfront pareto --json` prints them, with the values auc and flops.
        optimum: The AUC of the true click probabilities on the same rows.
    """
    if len(front) < MIN_POINTS:
        return f"it has {len(front)} points, but needs {MIN_POINTS}"
    families = sorted({point["family"] for point in front})
    if len(families) < MIN_FAMILIES:
        return f"all its points are of {families[0]}, but it needs {MIN_FAMILIES} families"
    ratio = max(map(flops_of, front)) / min(map(flops_of, front))
    if ratio < MIN_FLOPS_RATIO:
        return (
            f"its largest model has {ratio:.1f} times the FLOPs of its smallest, but "
            f"needs {MIN_FLOPS_RATIO:g} times"
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
    """AUC on the validation day."""
    return float(point["values"]["auc"])


def check_scores() -> float:
    """Largest difference between the champion's scores and those exported by the trial."""
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
    print(f"{len(rows)} raw rows scored by models:/{MODEL}@champion, first scores: {scores[:4]}")
    return float(np.abs(scores - own).max())


def installing_took(stamp: Path) -> str:
    """The installation time in words, from the file that the Makefile writes."""
    seconds = stamp.read_text().strip() if stamp.exists() else ""
    return f"{int(seconds) / 60:.1f} minutes" if seconds.isdigit() else "an unknown time"


def what_next(installing: str, seconds: float) -> None:
    """Print the times, and what to try next."""
    print(
        f"""
Installing took {installing} (once), and the demo {seconds / 60:.1f} minutes. What to try next:

  cd {HOME} && source ../.venv/bin/activate
  open front.html                                        the front, interactive
  mlflow ui --backend-store-uri {TRACKING}   browse the trials
  export MLFLOW_TRACKING_URI={TRACKING}
  mlflow models serve -m models:/{MODEL}@champion --env-manager local
  mixfront trials demo                                   every trial, including failed ones
  mixfront data inspect YOUR_PARQUET                     a schema for your own logs
  mixfront search run --help                             then a search on them
"""
    )


def print_step(title: str, subtitle: str = "") -> None:
    """Print the heading of a step."""
    print(f"\n\033[1m{title}\033[0m" + (f": {subtitle}" if subtitle else ""), flush=True)


def mixfront(*words: str, quiet: bool = False) -> str:
    """Print a command and run it; with `quiet`, return its output instead of printing it."""
    print(f"$ mixfront {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "mixfront.cli", *words]
    output = subprocess.PIPE if quiet else None
    done = subprocess.run(command, check=False, stdout=output, text=True)
    if done.returncode:
        sys.exit(f"mixfront {words[0]} ended with exit status {done.returncode}")
    return done.stdout or ""


if __name__ == "__main__":
    main()
