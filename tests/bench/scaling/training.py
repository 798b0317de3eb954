"""Trains one run through a trial session, as a search does, and scores the evaluation rows."""

import shutil
import time
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tests.bench.scaling.dataset import filter_of
from tests.bench.scaling.runs import Run, RunResult

from mixfront.data import Encoder, eval_batches, open_dataset, open_split
from mixfront.models import count_cost, make_config
from mixfront.training import Predictor, TrialRequest, TrialSession
from mixfront.training.config import TrainingConfig
from mixfront.training.evaluation import Evaluation
from mixfront.training.metrics import ranking_metrics
from mixfront.training.predict import Scorer
from mixfront.training.request import DataRequest

SCORING_BATCH = 8192


def train(run: Run, folder: Path) -> RunResult:
    """Train for one pass, write the scores of the evaluation rows, and clean up.

    Args:
        run: The run.
        folder: Of the study, with the data set.
    """
    started = time.monotonic()
    trial = folder / "trials" / run.key
    shutil.rmtree(trial, ignore_errors=True)  # what a killed process left
    session = TrialSession(_request(run, folder, trial))
    try:
        evaluation = session.advance()
    finally:
        session.close()
    scores, auc = _score(evaluation, folder)
    shutil.rmtree(trial)
    (folder / "scores").mkdir(exist_ok=True)
    np.save(folder / "scores" / f"{run.key}.npy", scores)
    params, flops = run_cost(run, folder)
    return RunResult(
        key=run.key,
        label=run.label,
        size=run.size,
        seed=run.seed,
        learning_rate=run.training["optimizer"]["lr"],
        params=params,
        flops=flops,
        validation_auc=evaluation.metrics["auc"],
        auc=auc,
        train_loss=evaluation.metrics["train_loss"],
        seconds=time.monotonic() - started,
        samples_per_s=evaluation.metrics["samples_per_s"],
    )


def run_cost(run: Run, folder: Path) -> tuple[float, float]:
    """Dense parameters, and FLOPs of a training step on 2,048 rows."""
    layout = _encoder(folder).layout
    cost = count_cost(run.family, make_config(run.family, run.model), layout=layout, checked=False)
    return cost.metrics()["params"], cost.metrics()["flops"]


def evaluation_labels(folder: Path) -> npt.NDArray[np.float64]:
    """Labels of the evaluation rows, in the order of the scores: (N,)."""
    split = open_split(
        open_dataset(str(folder / "rows")), filter_of("evaluation"), _encoder(folder)
    )
    return np.asarray(split.label, np.float64)


@cache
def _encoder(folder: Path) -> Encoder:
    return Encoder.load(str(folder / "encoder"))


def _request(run: Run, folder: Path, trial: Path) -> TrialRequest:
    return TrialRequest(
        search_id="scaling",
        trial_id=run.key,
        family=run.family,
        model=dict(run.model),
        data=DataRequest(
            path=str(folder / "rows"),
            train=filter_of("train"),
            validation=filter_of("validation"),
            encoder=str(folder / "encoder"),
        ),
        training=TrainingConfig.model_validate(
            {**run.training, "seed": run.seed, "passes": 1, "evaluate_every": 1.0}
        ),
        zero_stage=0,
        latency_seconds=0,
        folder=str(trial),
    )


def _score(evaluation: Evaluation, folder: Path) -> tuple[npt.NDArray[np.float32], float]:
    """Scores of the evaluation rows in order, and their AUC."""
    assert evaluation.model_url is not None
    scorer: Scorer = Predictor.load(evaluation.model_url).scorer
    split = open_split(
        open_dataset(str(folder / "rows")), filter_of("evaluation"), _encoder(folder)
    )
    batches = list[torch.Tensor]()
    for batch in eval_batches(split, batch_size=SCORING_BATCH, rank=0, world_size=1):
        batches.append(scorer.probabilities(batch)[batch.weight > 0])
    scores = torch.cat(batches).numpy()
    label = np.asarray(split.label, np.float64)
    return scores, ranking_metrics(scores, label, np.zeros(len(label), np.int64))["auc"]
