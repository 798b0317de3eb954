"""Trials on several ranks without Ray; each rank runs the test module itself as a program.

Run with `python -m`, the module passes its `rank_main`, which trains, to `run_rank`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mixfront.data import Encoder, load_schema, open_dataset
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.training import DataRequest, TrainingConfig, TrialRequest, TrialSession

STAGES = (0, 1, 2, 3)
TRAINING = TrainingConfig.model_validate(
    {
        "batch_size": 251,  # not a multiple of 2 or 3
        "passes": 2,
        "evaluate_every": 0.5,
        "precision": "fp32",
        "eval_batch_size": 100,
        "gradient_accumulation": 2,
        "optimizer": {"clip_norm": 1.0, "warmup": 0.2, "weight_decay": 0.01},
        "embedding_optimizer": {"l2": 1e-3},
    }
)
METRICS = ("auc", "uauc", "gauc", "logloss", "train_loss", "test_auc")

RankMain = Callable[[Path, int, int], dict[str, Any]]


def write_data(root: Path) -> None:
    """Write logs and a fitted encoder, for `make_request`."""
    report = write_synthetic(root / "logs", 1500, seed=3)
    encoder = Encoder.fit(
        open_dataset(report.path), load_schema(report.schema), report.filters["train"]
    )
    encoder.save(str(root / "encoder"))
    data = DataRequest(path=report.path, encoder=str(root / "encoder"), **report.filters)
    (root / "data.json").write_text(data.model_dump_json())


def make_request(
    root: Path,
    name: str,
    family: str,
    model: Mapping[str, Any],
    stage: int,
    resume_from: str | None = None,
) -> TrialRequest:
    """A request for a trial in the folder `name` below `root`."""
    return TrialRequest(
        search_id="s-1",
        trial_id=name,
        family=family,
        model=dict(model),
        data=DataRequest.model_validate_json((root / "data.json").read_text()),
        training=TRAINING,
        zero_stage=stage,
        folder=str(root / name),
        resume_from=resume_from,
    )


def train(request: TrialRequest, stop_after: int | None = None) -> dict[str, Any]:
    """Losses of all steps, the last metrics, and the checkpoint if the trial was stopped."""
    from mixfront.exceptions import AbortedError

    session = TrialSession(request)
    losses: list[float] = []

    def check(step: int) -> bool:
        losses.append(session.last_loss)
        return step == stop_after

    outcome: dict[str, Any] = {"losses": losses}
    try:
        while session.fidelity < 1:
            metrics = session.advance(check).metrics
            outcome["metrics"] = {name: metrics[name] for name in METRICS if name in metrics}
    except AbortedError:
        outcome["stopped"] = session.latest
    session.close()
    return outcome


def start_ranks(module: str, root: Path, world_size: int) -> list[dict[str, Any]]:
    """Run all ranks; returns the result of each."""
    environment = {
        **os.environ,
        "MIXFRONT_CACHE": str(root / "cache"),
        "MIXFRONT_PEAK_FLOPS": "1e11",
        "OMP_NUM_THREADS": "1",
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", module, str(root), str(rank), str(world_size)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).parents[2],
        )
        for rank in range(world_size)
    ]
    try:
        outputs = [rank.communicate(timeout=560)[0] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0] * world_size
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def run_rank(rank_main: RankMain) -> None:
    """Main program of a rank: join the group and print the result of `rank_main`."""
    import torch
    import torch.distributed as dist

    root, rank, world_size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    url = f"file://{root}/store-{world_size}"
    dist.init_process_group("gloo", init_method=url, rank=rank, world_size=world_size)
    result = rank_main(root, rank, world_size)
    dist.destroy_process_group()
    print(json.dumps(result))
