"""One, two and three ranks train to the same loss curve; NaN on one rank ends all ranks."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.ranks import STAGES, make_request, run_rank, start_ranks, train, write_data

from mixfront.training import TrialRequest, TrialSession

pytestmark = pytest.mark.integration

MODEL = {
    "embedding_dim": 4,
    "num_tokens": 4,
    "token_dim": 8,
    "num_blocks": 1,
    "block_size": 4,
    "ffn_hidden": 8,
    "sinkhorn_iters": 5,
}
STOP_AFTER = 6


def request(root: Path, name: str, stage: int, resume_from: str | None = None) -> TrialRequest:
    return make_request(root, name, "unimixer", MODEL, stage, resume_from)


def rank_main(root: Path, rank: int, world_size: int) -> dict[str, Any]:
    results: dict[str, Any] = {}
    stages = {1: (0,), 2: STAGES, 3: (2,)}[world_size]
    for stage in stages:
        results[f"whole-{stage}"] = train(request(root, f"{world_size}-whole-{stage}", stage))
        name = f"{world_size}-again-{stage}"
        first = train(request(root, name, stage), STOP_AFTER)
        results[f"first-{stage}"] = first
        results[f"rest-{stage}"] = train(request(root, name, stage, first["stopped"]))
    if world_size == 2:
        results["damaged"] = resume_from_damage(root, rank)
    results["nan"] = diverge_on_the_last_rank(
        request(root, f"{world_size}-nan", stages[-1]), rank, world_size
    )
    return results


def resume_from_damage(root: Path, rank: int) -> dict[str, Any]:
    """The rest of a trial whose latest checkpoint lacks a byte in a file that rank 1 verifies."""
    import torch.distributed as dist

    latest = train(request(root, "damaged", 2), STOP_AFTER)["stopped"]
    if rank == 0:
        file = Path(latest, "tables-1.safetensors")
        file.write_bytes(file.read_bytes()[:-1])
    dist.barrier()
    return train(request(root, "damaged", 2, latest))


def diverge_on_the_last_rank(request: TrialRequest, rank: int, world_size: int) -> str:
    """This rank's error after the last rank gets NaN."""
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


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ranks")
    write_data(root)
    return root


@pytest.fixture(scope="module")
def alone(root: Path) -> dict[str, Any]:
    (results,) = start_ranks(__name__, root, 1)
    whole: dict[str, Any] = results["whole-0"]
    return whole


@pytest.fixture(scope="module")
def pair(root: Path) -> list[dict[str, Any]]:
    return start_ranks(__name__, root, 2)


@pytest.mark.parametrize("stage", STAGES)
def test_two_ranks_have_the_loss_curve_of_one(
    stage: int, pair: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    for results in pair:
        assert results[f"whole-{stage}"]["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    first, second = pair
    assert first[f"whole-{stage}"] == second[f"whole-{stage}"]  # all ranks have the same result
    for name, value in alone["metrics"].items():
        assert first[f"whole-{stage}"]["metrics"][name] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("stage", STAGES)
def test_two_ranks_resume_bit_identically(stage: int, pair: list[dict[str, Any]]) -> None:
    for results in pair:
        whole, first, rest = (results[f"{kind}-{stage}"] for kind in ("whole", "first", "rest"))
        assert len(first["losses"]) == STOP_AFTER
        assert first["losses"] + rest["losses"] == whole["losses"]
        assert rest["metrics"] == whole["metrics"]


def test_two_ranks_fall_back_together_from_a_damaged_checkpoint(
    pair: list[dict[str, Any]],
) -> None:
    for results in pair:
        whole, rest = results["whole-2"], results["damaged"]
        assert len(rest["losses"]) > len(whole["losses"]) - STOP_AFTER
        assert rest["losses"] == whole["losses"][-len(rest["losses"]) :]
        assert rest["metrics"] == whole["metrics"]


def test_nan_on_one_rank_ends_the_trial_on_all(pair: list[dict[str, Any]]) -> None:
    assert [results["nan"] for results in pair] == [pair[0]["nan"]] * 2
    assert "lower the learning rate" in pair[0]["nan"]


def test_three_ranks_have_the_loss_curve_of_one(root: Path, alone: dict[str, Any]) -> None:
    for results in start_ranks(__name__, root, 3):
        assert results["whole-2"]["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        assert (
            results["first-2"]["losses"] + results["rest-2"]["losses"]
            == results["whole-2"]["losses"]
        )


if __name__ == "__main__":
    run_rank(rank_main)
