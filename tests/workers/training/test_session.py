"""Trials on a small data set in one process: loss curves, resuming, stopping, exporting."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import torch

from mixfront.exceptions import AbortedError, DivergedError, SpecError, TrialError
from mixfront.spec.metrics import METRICS, describe_metric
from mixfront.training import Predictor, TrialRequest, TrialSession
from mixfront.training.checkpoints.manifest import read_manifest
from mixfront.training.evaluation import Evaluation
from mixfront.training.latency import LATENCIES

MakeRequest = Callable[..., TrialRequest]


def run(request: TrialRequest, stop_after: int | None = None) -> tuple[list[float], Any]:
    """Losses of all steps, and the last evaluation or, if stopped, the checkpoint URL."""
    session = TrialSession(request)
    losses: list[float] = []
    evaluation: Evaluation | None = None

    def check(step: int) -> bool:
        losses.append(session.last_loss)
        return step == stop_after

    try:
        while session.fidelity < 1 or evaluation is None:
            evaluation = session.advance(check)
        return losses, evaluation
    except AbortedError:
        return losses, session.latest
    finally:
        session.close()


def test_a_trial_learns_and_is_evaluated_at_its_points(make_request: MakeRequest) -> None:
    request = make_request(
        passes=4,
        optimizer={"lr": 0.02},
        embedding_optimizer={"lr": 0.05, "init_std": 0.1, "l2": 1e-3},
    )
    session = TrialSession(request)
    half = session.advance()
    assert half.fidelity == session.step / session.total_steps == 0.5
    assert half.model_url is None
    assert {"auc", "uauc", "gauc", "logloss", "train_loss", "mfu"} <= half.metrics.keys()
    assert half.metrics["samples_per_s"] > 0
    whole = session.advance()
    assert whole.fidelity == 1
    assert whole.model_url == session.finish() == f"{request.folder}/final"
    assert whole.metrics["auc"] > 0.6
    assert 0 <= whole.metrics["test_auc"] <= 1
    assert not set(LATENCIES) & half.metrics.keys()
    assert all(whole.metrics[name] > 0 for name in LATENCIES)
    assert whole.metrics["latency_p50_ms_b1"] <= whole.metrics["latency_p99_ms_b1"]
    assert whole.metrics["train_loss"] < half.metrics["train_loss"]
    assert session.advance().metrics["auc"] == whole.metrics["auc"]  # nothing left to train
    reported = {describe_metric(name).name for name in whole.metrics}
    elsewhere = {"mfu_vendor", "experts/*_share*_layer*", "experts/*_dead_layer*"}
    assert reported == {n for n, m in METRICS.items() if not m.before_training} - elsewhere
    session.close()
    assert Evaluation.model_validate_json(whole.model_dump_json()) == whole


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_a_resumed_trial_is_bit_identical(stage: int, make_request: MakeRequest) -> None:
    settings = {
        "optimizer": {"warmup": 0.3, "clip_norm": 1.0, "weight_decay": 0.01},
        "embedding_optimizer": {"l2": 1e-3},
        "gradient_accumulation": 2,
        "seed": 5,
    }
    curve, whole = run(make_request(zero_stage=stage, **settings))
    stop = len(curve) // 2 + 1  # after the evaluation and within a pass
    first, url = run(make_request(zero_stage=stage, name="again", **settings), stop_after=stop)
    rest, resumed = run(make_request(zero_stage=stage, name="again", resume_from=url, **settings))
    assert len(first) == stop
    assert first + rest == curve
    for name in ("auc", "uauc", "logloss", "train_loss", "test_auc"):
        assert resumed.metrics[name] == whole.metrics[name]


def test_dropout_resumes_with_the_same_random_state(make_request: MakeRequest) -> None:
    def request(**values: Any) -> TrialRequest:
        base = make_request(**values)
        return base.model_copy(update={"model": {**base.model, "dropout": 0.3}})

    curve, _ = run(request())
    first, url = run(request(name="again"), stop_after=5)
    rest, _ = run(request(name="again", resume_from=url))
    assert first + rest == curve


def test_the_cold_stage_restarts_the_optimizers(make_request: MakeRequest) -> None:
    def request(**values: Any) -> TrialRequest:
        base = make_request(**values)
        schedule = {"tau_schedule": "two_stage", "hot_share": 0.5}
        return base.model_copy(update={"model": {**base.model, **schedule}})

    curve, _ = run(request())
    half = len(curve) // 2
    first, url = run(request(name="again"), stop_after=half + 2)
    assert read_manifest(url).tau == 0.05
    assert read_manifest(url).sparse_steps == 2  # counted from the restart
    rest, _ = run(request(name="again", resume_from=url))
    assert first + rest == curve
    _, hot = run(request(name="hot"), stop_after=half)
    assert read_manifest(hot).sparse_steps == half


def test_zero_stages_and_micro_batches_do_not_change_the_curve(
    make_request: MakeRequest,
) -> None:
    expected, _ = run(make_request(zero_stage=0))
    for stage, parts in ((0, 3), (1, 1), (2, 3), (3, 1)):
        losses, _ = run(make_request(zero_stage=stage, gradient_accumulation=parts))
        assert losses == pytest.approx(expected, rel=1e-4)


def test_bf16_trains(make_request: MakeRequest) -> None:
    expected, _ = run(make_request())
    losses, evaluation = run(make_request(precision="bf16", name="bf16"))
    assert losses == pytest.approx(expected, rel=0.02)
    assert losses != expected
    assert math.isfinite(evaluation.metrics["auc"])


def test_a_trial_stopped_at_an_evaluation_point_evaluates_after_resuming(
    make_request: MakeRequest,
) -> None:
    curve, _ = run(make_request())
    half = len(curve) // 2
    first, url = run(make_request(name="again"), stop_after=half)
    session = TrialSession(make_request(name="again", resume_from=url))
    assert session.step == half
    evaluation = session.advance()
    session.close()
    assert (evaluation.step, evaluation.fidelity) == (half, 0.5)
    assert evaluation.metrics["train_loss"] == pytest.approx(sum(first) / half)
    assert "samples_per_s" not in evaluation.metrics


def test_zero_stages_and_resuming_do_not_change_how_far_the_mixing_moved(
    make_request: MakeRequest,
) -> None:
    """The initial logits are not in the checkpoint; ZeRO 3 frees the current ones."""
    settings = {"optimizer": {"mixing_lr_factor": 30.0, "clip_norm": 0.01}}

    def mixing(evaluation: Evaluation) -> dict[str, float]:
        names = ("distance", "grad_norm")
        return {k: v for k, v in evaluation.metrics.items() if any(n in k for n in names)}

    curve, evaluation = run(make_request(zero_stage=0, **settings))
    whole = mixing(evaluation)
    assert len(whole) == 4
    assert min(whole.values()) > 0
    for stage, parts in ((1, 1), (2, 2), (3, 1)):
        request = make_request(
            zero_stage=stage, name=f"{stage}", gradient_accumulation=parts, **settings
        )
        _, url = run(request, stop_after=len(curve) - 2)
        _, resumed = run(request.model_copy(update={"resume_from": url}))
        assert mixing(resumed) == pytest.approx(whole, rel=1e-3)


def test_old_checkpoints_are_removed(make_request: MakeRequest) -> None:
    request = make_request(evaluate_every=0.25, keep_checkpoints=2)
    session = TrialSession(request)
    urls = [session.advance().checkpoint for _ in range(3)]
    session.close()
    names = {path.name for path in Path(request.folder).glob("step-*")}
    assert names == {url.rsplit("/", 1)[1] for url in urls[1:]}


def test_the_previous_checkpoint_is_kept_until_the_next_advance(make_request: MakeRequest) -> None:
    """A driver that dies before it records the newest checkpoint resumes from the one before."""
    session = TrialSession(make_request(evaluate_every=0.25, keep_checkpoints=1))
    urls = [session.advance().checkpoint for _ in range(2)]
    assert [Path(url, "manifest.json").exists() for url in urls] == [True, True]
    session.advance()
    assert [Path(url, "manifest.json").exists() for url in urls] == [False, True]
    session.close()
    assert not Path(urls[1]).exists()


def test_a_checkpoint_of_another_trial_is_rejected(make_request: MakeRequest) -> None:
    _, url = run(make_request(), stop_after=2)
    with pytest.raises(TrialError, match=r"zero_stage 2, this trial has 1"):
        TrialSession(make_request(zero_stage=1, resume_from=url))
    with pytest.raises(TrialError, match="this trial has"):
        TrialSession(make_request(seed=9, resume_from=url))


def test_a_loss_that_is_not_finite_ends_the_trial(make_request: MakeRequest) -> None:
    session = TrialSession(make_request(optimizer={"lr": 1e30}))
    with pytest.raises(DivergedError, match="lower the learning rate"):
        session.advance()
    session.close()


EXTRAS: list[tuple[str, dict[str, Any]]] = [
    ("tokenmixer_large", {"aux_weight": 0.5, "num_blocks": 3, "inter_residual_every": 1}),
    ("rankmixer", {"num_experts": 2, "router_penalty": 0.1}),
]


def with_extras(request: TrialRequest, family: str, values: dict[str, Any]) -> TrialRequest:
    model = {"embedding_dim": 4, "num_tokens": 4, "token_dim": 8, **values}
    return request.model_copy(update={"family": family, "model": model})


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize(("family", "values"), EXTRAS)
def test_extra_losses_train_at_every_stage_and_are_not_exported(
    make_request: MakeRequest, family: str, values: dict[str, Any], stage: int
) -> None:
    """The curve is the same with or without an interruption, ZeRO and micro-batches."""
    changes = {"batch_size": 251, "optimizer": {"clip_norm": 1.0, "weight_decay": 0.01}}
    request = with_extras(make_request(zero_stage=stage, name="whole", **changes), family, values)
    whole, evaluation = run(request)
    again = request.model_copy(update={"folder": f"{request.folder}-again"})
    first, url = run(again, stop_after=3)
    rest, _ = run(again.model_copy(update={"resume_from": url}))
    assert first + rest == whole
    parts = make_request(zero_stage=0, name="parts", gradient_accumulation=3, **changes)
    assert run(with_extras(parts, family, values))[0] == pytest.approx(whole, rel=1e-5)
    weights = safetensors.numpy.load_file(f"{evaluation.model_url}/weights.safetensors")
    assert weights
    assert not [name for name in weights if "auxiliary" in name]
    predictor = Predictor.load(evaluation.model_url)
    expected = json.loads(Path(f"{evaluation.model_url}/sample_scores.json").read_text())["scores"]
    sample = pq.read_table(f"{evaluation.model_url}/sample.parquet")
    assert predictor.predict(sample) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("family", "values"), EXTRAS)
def test_extra_losses_change_training_but_not_the_reported_loss(
    make_request: MakeRequest, family: str, values: dict[str, Any]
) -> None:
    """The first step has the same weights, so the task loss is equal whatever the factor."""
    factor = "aux_weight" if "aux_weight" in values else "router_penalty"
    weak, _ = run(with_extras(make_request(name="a"), family, {**values, factor: 1e-6}), 4)
    strong, _ = run(with_extras(make_request(name="b"), family, {**values, factor: 5.0}), 4)
    assert weak[0] == strong[0]
    assert weak[3] != pytest.approx(strong[3], rel=1e-6)


def test_an_extra_loss_that_is_not_finite_ends_the_trial(make_request: MakeRequest) -> None:
    """Even if the task loss is finite."""
    session = TrialSession(with_extras(make_request(zero_stage=0), *EXTRAS[0]))
    ranker = session._trainer.engine.module
    torch.nn.init.constant_(ranker.get_parameter("auxiliary.output.bias"), math.nan)
    with pytest.raises(DivergedError, match="the loss is nan at step 0"):
        session.advance()
    session.close()


def test_only_a_finished_trial_is_exported(make_request: MakeRequest) -> None:
    session = TrialSession(make_request())
    with pytest.raises(TrialError, match="at step 0 of"):
        session.finish()
    session.close()


def test_more_micro_batches_than_rows_are_rejected(make_request: MakeRequest) -> None:
    with pytest.raises(SpecError, match="gradient_accumulation is 8"):
        TrialSession(make_request(batch_size=4, gradient_accumulation=8))


def test_the_seed_determines_the_trial(make_request: MakeRequest) -> None:
    one, _ = run(make_request(seed=1), stop_after=3)
    torch.rand(7)  # earlier random draws must not matter
    same, _ = run(make_request(seed=1), stop_after=3)
    other, _ = run(make_request(seed=2), stop_after=3)
    assert one == same != other


def test_model_json_describes_the_trained_model(make_request: MakeRequest) -> None:
    _, evaluation = run(make_request())
    about = json.loads((Path(evaluation.model_url) / "model.json").read_text())
    assert about["family"] == "unimixer"
    assert about["tau"] == 0.05
    assert about["metrics"]["auc"] == evaluation.metrics["auc"]
    assert about["columns"][0] == "user_id"


@pytest.mark.parametrize("stage", [0, 3])
def test_mixing_is_recorded_at_every_evaluation(make_request: MakeRequest, stage: int) -> None:
    """Also under ZeRO 3, where parameters are empty after a forward pass."""
    request = make_request(zero_stage=stage)
    session = TrialSession(request)
    half, whole = session.advance(), session.advance()
    session.close()
    n, b = 8, 4  # number of blocks of the flattened input, and their size
    assert half.metrics["mixing/tau"] > whole.metrics["mixing/tau"] == pytest.approx(0.05)
    for metrics in (half.metrics, whole.metrics):
        assert 1 <= metrics["mixing/global_support_layer0"] <= n
        assert 1 / b <= metrics["mixing/local_peak_layer0"] <= 1
        assert metrics["mixing/global_grad_norm_layer0"] > 0
    assert half.metrics["mixing/global_distance_layer0"] > 0
    folder = Path(request.folder) / "mixing"
    history = json.loads((folder / "history.json").read_text())
    assert [record["step"] for record in history] == [half.step, whole.step]
    assert {path.name for path in folder.glob("*.png")} == {"layer0.png", "sparsity.png"}


def test_expert_loads_are_measured_at_every_evaluation(make_request: MakeRequest) -> None:
    experts = {"num_blocks": 1, "num_experts": 4, "active_experts": 3}
    session = TrialSession(with_extras(make_request(), "tokenmixer_large", experts))
    half, whole = session.advance(), session.advance()
    session.close()
    for metrics in (half.metrics, whole.metrics):
        for ffn in ("mix_ffn", "token_ffn"):
            shares = [metrics[f"experts/{ffn}_share{k}_layer0"] for k in (1, 2, 3)]
            assert shares == sorted(shares, reverse=True)
            assert sum(shares) == pytest.approx(1)
            assert metrics[f"experts/{ffn}_dead_layer0"] >= 0
