"""Part 2: whole trials without Ray: training, export, resumption, and memory held afterwards."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from tests.gpu.machine import Machine, has_deepspeed
from tests.gpu.report import Recorder, Table
from tests.gpu.synthetic_logs import synthetic_logs
from tests.gpu.trial_memory import library_memory, memory_over_trials

from mixfront.exceptions import AbortedError
from mixfront.training import DataRequest, Evaluation, Predictor, TrialRequest, TrialSession

SAME_LOSSES = 1e-4  # relative, at every step; the order of sums may differ
SAME_SCORES = 1e-4  # absolute, between probabilities computed on a GPU and on a CPU
MIN_AUC = 0.6


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """Losses and results of one trial."""

    losses: list[float]  # one per step
    checkpoint: str | None
    evaluation: Evaluation | None = None  # at full fidelity; None if the trial was interrupted


def run(machine: Machine, recorder: Recorder) -> None:
    """Train at ZeRO stages 0 and 3 in both precisions, then measure the memory of ten trials."""
    if not has_deepspeed():
        recorder.skip("DeepSpeed is not installed, so no model was trained.")
        return
    library_memory(machine, recorder)
    data = synthetic_logs(machine.folder / "trials", machine.pick(40_000, 3_000))
    table = recorder.table(
        "UniMixer trials",
        *("ZeRO stage", "precision", "steps", "first loss", "last loss", "AUC", "samples/s"),
        *("MFU", "latency p50 ms (batch 1)", "loss difference after resuming"),
        *("score difference after reloading",),
    )
    losses: dict[tuple[int, str], list[float]] = {}
    for precision in machine.pick(("fp32", "bf16"), ("fp32",)):
        for stage in (0, 3):
            request = make_request(data, machine, f"{precision}-{stage}", stage, precision)
            losses[stage, precision] = _train_and_resume(request, machine, recorder, table)
    change = loss_difference(losses[0, "fp32"], losses[3, "fp32"])
    recorder.require(
        "stages 0 and 3 have the same losses in fp32", change < SAME_LOSSES, f"{change:.1e}"
    )
    _repeat(losses[0, "fp32"], data, machine, recorder)
    memory_over_trials(data, machine, recorder)


def make_request(
    data: DataRequest, machine: Machine, name: str, stage: int, precision: str
) -> TrialRequest:
    """A UniMixer that learns the synthetic logs in a few passes."""
    model = {"num_tokens": 8, "token_dim": 32, "embedding_dim": 8}
    small = {"num_tokens": 4, "token_dim": 8, "embedding_dim": 4, "num_blocks": 1, "ffn_hidden": 8}
    return TrialRequest.model_validate(
        {
            "search_id": "gpu",
            "trial_id": name,
            "family": "unimixer",
            "model": {**machine.pick(model, small), "sinkhorn_iters": machine.pick(20, 5)},
            "data": data,
            "training": {
                "passes": 2,
                "batch_size": machine.pick(1024, 256),
                "evaluate_every": 0.5,
                "precision": precision,
                "optimizer": {"lr": machine.pick(2e-3, 0.03)},
                "embedding_optimizer": {"lr": machine.pick(0.01, 0.1)},
            },
            "zero_stage": stage,
            "latency_seconds": machine.pick(0.5, 0.0),
            "folder": str(machine.folder / "trials" / name),
        }
    )


def train(request: TrialRequest, device: str, stop_after: int | None = None) -> TrainingRun:
    """Train a trial to its end, or interrupt it after step `stop_after`."""
    session = TrialSession(request, device=device)
    losses: list[float] = []

    def record_loss(step: int) -> bool:
        losses.append(session.last_loss)
        return step == stop_after

    evaluation = None
    try:
        while evaluation is None or evaluation.fidelity < 1:
            evaluation = session.advance(record_loss)
    except AbortedError:
        return TrainingRun(losses=losses, checkpoint=session.latest)
    finally:
        session.close()
    return TrainingRun(losses=losses, checkpoint=session.latest, evaluation=evaluation)


def loss_difference(one: list[float], other: list[float]) -> float:
    """The largest relative difference at any step; infinite if the lengths differ."""
    if len(one) != len(other):
        return float("inf")
    return max(abs(a - b) / abs(b) for a, b in zip(one, other, strict=True))


def _train_and_resume(
    request: TrialRequest, machine: Machine, recorder: Recorder, table: Table
) -> list[float]:
    """Train once without and once with an interruption; the losses of the former."""
    whole = train(request, machine.device)
    assert whole.evaluation is not None
    stop = len(whole.losses) // 2 + 1  # inside a pass, after an evaluation
    second = request.model_copy(update={"folder": f"{request.folder}-resumed"})
    first = train(second, machine.device, stop_after=stop)
    rest = train(second.model_copy(update={"resume_from": first.checkpoint}), machine.device)
    resumed = loss_difference(first.losses + rest.losses, whole.losses)
    reloaded = _reload_difference(str(whole.evaluation.model_url))
    metrics, quarter = whole.evaluation.metrics, max(1, len(whole.losses) // 4)
    first_loss, last_loss = (
        statistics.mean(part) for part in (whole.losses[:quarter], whole.losses[-quarter:])
    )
    stage, precision = request.zero_stage, request.training.precision
    recorder.row(
        table,
        *(stage, precision, len(whole.losses), first_loss, last_loss, metrics["auc"]),
        *(metrics["samples_per_s"], metrics["mfu"], metrics["latency_p50_ms_b1"]),
        *(resumed, reloaded),
    )
    name = f"stage {stage}, {precision}"
    recorder.require(
        f"{name}: the loss falls",
        last_loss < first_loss,
        f"{first_loss:.4f} to {last_loss:.4f}",
    )
    auc = metrics["auc"]
    recorder.require(f"{name}: the AUC is above {MIN_AUC}", auc > MIN_AUC, f"{auc:.4f}")
    recorder.require(
        f"{name}: a resumed trial has the same losses", resumed < SAME_LOSSES, f"{resumed:.1e}"
    )
    recorder.require(
        f"{name}: a reloaded model gives the same scores",
        reloaded < SAME_SCORES,
        f"{reloaded:.1e}",
    )
    return whole.losses


def _repeat(losses: list[float], data: DataRequest, machine: Machine, recorder: Recorder) -> None:
    """Train a trial a second time: the baseline of the other differences."""
    request = make_request(data, machine, "repeated", 0, "fp32")
    change = loss_difference(train(request, machine.device).losses, losses)
    recorder.require("a repeated trial has the same losses", change < SAME_LOSSES, f"{change:.1e}")


def _reload_difference(url: str) -> float:
    """Largest difference between an exported model's recorded scores and its scores on a CPU."""
    recorded = json.loads(Path(f"{url}/sample_scores.json").read_text())["scores"]
    scores = Predictor.load(url).predict(pq.read_table(f"{url}/sample.parquet"))
    return float(np.abs(scores - np.asarray(recorded)).max())
