"""One, two and three ranks train one trial to the same curve; what one rank sees, all learn.

This file is also the program of a rank: the tests start it once for each rank.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mixfront.data import DataConfig, Encoder, load_schema
from mixfront.data.synthetic import write_synthetic
from mixfront.training import DataRequest, TrainingConfig, TrialRequest, TrialSession

pytestmark = pytest.mark.integration

STAGES = (0, 1, 2, 3)
MODEL = {
    "embedding_dim": 4,
    "num_tokens": 4,
    "token_dim": 8,
    "num_blocks": 1,
    "block_size": 4,
    "ffn_hidden": 8,
    "sinkhorn_iters": 5,
}
TRAINING = TrainingConfig.model_validate(
    {
        "batch_size": 251,  # no multiple of 2 or 3
        "passes": 2,
        "evaluate_every": 0.5,
        "eval_batch_size": 100,
        "gradient_accumulation": 2,
        "optimizer": {"clip_norm": 1.0, "warmup": 0.2, "weight_decay": 0.01},
        "embedding_optimizer": {"l2": 1e-3},
    }
)
KUNLUN = {
    "embedding_dim": 4,
    "num_tokens": 4,
    "token_dim": 8,
    "num_blocks": 3,
    "sequence_tokens": 2,
    "seq_len": 10,
    "num_heads": 2,
    "mlp_hidden": [8],
    "sequence_pool": "target",
}
MODELS = {"unimixer": MODEL, "kunlun": KUNLUN}
EVENT_STAGES = (0, 3)  # at which the one that reads events is trained too
STOP_AFTER = 6
# With both kinds of extra loss: of auxiliary heads, and penalties of rows.
EXTRAS: dict[str, dict[str, Any]] = {
    "tokenmixer_large": {"aux_weight": 0.5, "num_blocks": 3, "inter_residual_every": 1},
    "rankmixer": {"num_experts": 2, "router_penalty": 0.05, "num_blocks": 2},
}
EXTRA_STAGES = (0, 3)
METRICS = ("auc", "uauc", "gauc", "logloss", "train_loss", "test_auc")


def make_request(
    root: Path,
    name: str,
    stage: int,
    resume_from: str | None = None,
    family: str = "unimixer",
) -> TrialRequest:
    return TrialRequest(
        search_id="s-1",
        trial_id=name,
        family=family,
        model=MODELS[family],
        data=DataRequest.model_validate_json((root / "data.json").read_text()),
        training=TRAINING,
        zero_stage=stage,
        folder=str(root / name),
        resume_from=resume_from,
    )


def extra_request(root: Path, name: str, family: str, stage: int) -> TrialRequest:
    shape = {"embedding_dim": 4, "num_tokens": 4, "token_dim": 8}
    changes = {"family": family, "model": {**shape, **EXTRAS[family]}}
    request = make_request(root, f"{name}-{family}-{stage}", stage)
    return request.model_copy(update=changes)


def train(request: TrialRequest, stop_after: int | None = None) -> dict[str, Any]:
    """Losses of all steps, the last metrics, and where it stopped if it was stopped."""
    from mixfront.exceptions import AbortedError

    session = TrialSession(request)
    losses: list[float] = []

    def check(step: int) -> bool:
        losses.append(session.last_loss)
        return step == stop_after

    told: dict[str, Any] = {"losses": losses}
    try:
        while session.fidelity < 1:
            found = session.advance(check).metrics
            told["metrics"] = {name: found[name] for name in METRICS if name in found}
    except AbortedError:
        told["stopped"] = session.latest
    session.close()
    return told


def diverge_on_the_last_rank(request: TrialRequest, rank: int, world_size: int) -> str:
    """What every rank says when one of them sees NaN."""
    from mixfront.exceptions import DivergedError

    session = TrialSession(request)
    if rank == world_size - 1:
        session._trainer.tables.weight.fill_(float("nan"))
    try:
        session.advance()
    except DivergedError as error:
        return str(error)
    finally:
        session.close()
    return "nothing"


def rank_main(root: Path, rank: int, world_size: int) -> dict[str, Any]:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    url = f"file://{root}/meeting-{world_size}"
    dist.init_process_group("gloo", init_method=url, rank=rank, world_size=world_size)
    prefix = f"{world_size}-"
    told: dict[str, Any] = {"nan": ""}
    stages = STAGES if world_size == 2 else (2,)
    for stage in stages:
        told[f"whole-{stage}"] = train(make_request(root, f"{prefix}whole-{stage}", stage))
        name = f"{prefix}again-{stage}"
        first = train(make_request(root, name, stage), STOP_AFTER)
        told[f"first-{stage}"] = first
        told[f"rest-{stage}"] = train(make_request(root, name, stage, first["stopped"]))
    for family in EXTRAS if world_size == 2 else ():
        for stage in EXTRA_STAGES:
            told[f"{family}-{stage}"] = train(extra_request(root, prefix, family, stage))
    for stage in EVENT_STAGES if world_size == 2 else ():
        request = make_request(root, f"{prefix}events-{stage}", stage, family="kunlun")
        told[f"events-{stage}"] = train(request)
    told["nan"] = diverge_on_the_last_rank(
        make_request(root, f"{prefix}nan", stages[-1]), rank, world_size
    )
    dist.destroy_process_group()
    return told


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ranks")
    report = write_synthetic(root / "logs", 1500, seed=3)
    config = DataConfig.model_validate(
        {"path": report.path, "schema": report.schema, **report.filters}
    )
    Encoder.fit(config, load_schema(report.schema)).save(str(root / "encoder"))
    data = DataRequest(path=report.path, encoder=str(root / "encoder"), **report.filters)
    (root / "data.json").write_text(data.model_dump_json())
    return root


@pytest.fixture(scope="module")
def alone(root: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXFRONT_CACHE", str(root / "cache"))
        return train(make_request(root, "alone", 0))


@pytest.fixture(scope="module")
def alone_with_events(root: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXFRONT_CACHE", str(root / "cache"))
        return train(make_request(root, "alone-events", 0, family="kunlun"))


def start_ranks(root: Path, world_size: int) -> list[dict[str, Any]]:
    """What each rank found."""
    environment = {
        **os.environ,
        "MIXFRONT_CACHE": str(root / "cache"),
        "MIXFRONT_PEAK_FLOPS": "1e11",
        "OMP_NUM_THREADS": "1",
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, __file__, str(root), str(rank), str(world_size)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(world_size)
    ]
    try:
        outputs = [rank.communicate(timeout=250)[0] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0] * world_size
    return [json.loads(output.splitlines()[-1]) for output in outputs]


@pytest.fixture(scope="module")
def pair(root: Path) -> list[dict[str, Any]]:
    return start_ranks(root, 2)


@pytest.mark.parametrize("stage", STAGES)
def test_two_ranks_have_the_curve_of_one(
    stage: int, pair: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    for told in pair:
        assert told[f"whole-{stage}"]["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    first, second = pair
    assert first[f"whole-{stage}"] == second[f"whole-{stage}"]  # every rank knows the same
    for name, value in alone["metrics"].items():
        assert first[f"whole-{stage}"]["metrics"][name] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("stage", EVENT_STAGES)
def test_two_ranks_with_events_have_the_curve_of_one(
    stage: int, pair: list[dict[str, Any]], alone_with_events: dict[str, Any]
) -> None:
    first, second = (told[f"events-{stage}"] for told in pair)
    assert first == second
    assert first["losses"] == pytest.approx(alone_with_events["losses"], rel=1e-5)
    for name, value in alone_with_events["metrics"].items():
        assert first["metrics"][name] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("stage", STAGES)
def test_two_ranks_resume_to_the_same_bits(stage: int, pair: list[dict[str, Any]]) -> None:
    for told in pair:
        whole, first, rest = (told[f"{kind}-{stage}"] for kind in ("whole", "first", "rest"))
        assert len(first["losses"]) == STOP_AFTER
        assert first["losses"] + rest["losses"] == whole["losses"]
        assert rest["metrics"] == whole["metrics"]


@pytest.mark.parametrize("family", EXTRAS)
def test_extra_losses_are_the_same_on_two_ranks(
    root: Path,
    pair: list[dict[str, Any]],
    family: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ranks have rows and padding of their own, and of each row only its own share counts."""
    monkeypatch.setenv("MIXFRONT_CACHE", str(root / "cache"))
    alone = train(extra_request(root, "alone", family, 0))
    for stage in EXTRA_STAGES:
        for told in pair:
            found = told[f"{family}-{stage}"]
            assert found["losses"] == pytest.approx(alone["losses"], rel=1e-5)
            assert found["metrics"]["auc"] == pytest.approx(alone["metrics"]["auc"], abs=1e-4)


def test_nan_on_one_rank_ends_the_trial_on_all(pair: list[dict[str, Any]]) -> None:
    assert [told["nan"] for told in pair] == [pair[0]["nan"]] * 2
    assert "lower the learning rate" in pair[0]["nan"]


def test_three_ranks_have_the_curve_of_one(root: Path, alone: dict[str, Any]) -> None:
    for told in start_ranks(root, 3):
        assert told["whole-2"]["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        assert told["first-2"]["losses"] + told["rest-2"]["losses"] == told["whole-2"]["losses"]


if __name__ == "__main__":
    found = rank_main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(found))
