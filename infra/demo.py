"""`make demo`: from nothing to a promoted model, on two cores without a GPU.

Everything lands in ./demo and everything it does is a command that you can type yourself.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HOME = Path("demo")
MARKER = HOME / ".made-by-make-demo"
ROWS = 40_000
MODEL = "demo-ranker"
TRACKING = "sqlite:///mixfront.db"
TOLERANCE = 1e-6


def main() -> None:
    """Tell the story, a command at a time."""
    started = time.time()
    fresh_folder()
    os.chdir(HOME)  # whatever mixfront keeps by default lies in the working directory
    for name in ("MIXFRONT_STORAGE", "MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "RAY_ADDRESS"):
        os.environ.pop(name, None)  # the demo is this machine's alone
    tell("1. A data set whose structure we know", "planted interactions, so AUC has a known limit")
    mixfront("data", "synth", "demo-data", "--rows", str(ROWS), "--seed", "7")
    tell("2. A search", "three families, two DeepSpeed workers a trial, one warm lane")
    mixfront("search", "run", "demo")
    tell("3. The front", "no trial of it beats another in every objective")
    mixfront("pareto", "demo", "--html", "front.html")
    tell("4. A promotion", "the knee of the front, checked and put into the registry")
    mixfront("promote", "demo", "--pick", "knee", "--name", MODEL)
    tell("5. The registered model scores raw rows")
    worst = check_scores()
    print(f"largest difference to the trial's own scores: {worst:.1e} (allowed {TOLERANCE:.0e})")
    if not worst <= TOLERANCE:
        sys.exit("the registered model does not score as the trained one did")
    what_next(time.time() - started)


def fresh_folder() -> None:
    """Start with an empty ./demo; only one that an earlier demo made is thrown away."""
    if HOME.exists():
        if not MARKER.exists():
            sys.exit(f"{HOME.resolve()} exists and is not a demo's: move it away first")
        shutil.rmtree(HOME)
    HOME.mkdir()
    MARKER.touch()


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


def what_next(seconds: float) -> None:
    """End with what to try."""
    print(
        f"""
All of it in {seconds / 60:.1f} minutes. What to try next:

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


def mixfront(*words: str) -> None:
    """One command, shown before it is run."""
    print(f"$ mixfront {' '.join(words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "mixfront.cli", *words], check=False)
    if done.returncode:
        sys.exit(f"mixfront {words[0]} ended with exit status {done.returncode}")


if __name__ == "__main__":
    main()
