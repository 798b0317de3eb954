"""`mixfront train` and `mixfront reproduce`, as a user would type them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.running_search import environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def mixfront(folder: Path, *words: str) -> Any:
    """JSON output of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "mixfront.cli", *words, "--json"],
        capture_output=True,
        text=True,
        env=environment(folder),
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_trial_on_one_worker_is_reproduced_exactly(tmp_path: Path) -> None:
    mixfront(tmp_path, "data", "synth", "demo-data", "--rows", "4000", "--seed", "3")
    options = {
        "family": "unimixer",
        "num_tokens": "4",
        "token_dim": "8",
        "block_size": "4",
        "embedding_dim": "8",
        "optimizer.lr": "2e-3",
        "training.passes": "1",
        "trial.workers": "1",
    }
    words = [w for key, value in options.items() for w in ("-o", f"{key}={value}")]
    trained = mixfront(tmp_path, "train", "demo", *words)
    assert trained["search"] == "demo-train"
    assert trained["config"]["optimizer.lr"] == 2e-3
    assert trained["metrics"]["auc"] > 0.5
    again = mixfront(tmp_path, "reproduce", "demo-train", "0")
    assert again["search"] == "demo-train-trial-0"
    assert again["differences"] == []
    assert again["same_weights"] is True
    assert again["same_data"] is True
