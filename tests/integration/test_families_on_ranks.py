"""Two ranks train every family at every ZeRO stage with the loss curve of one rank."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.ranks import (
    STAGES,
    make_request,
    run_rank,
    start_ranks,
    train,
    write_data,
)

from mixfront.models import FAMILIES
from mixfront.models.families.tokenmixer_large import sparse_ffn

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SHAPE = {"embedding_dim": 4, "num_tokens": 4, "token_dim": 8}
# For defaults that do not fit 4 tokens, and to cover what depends on a rank's own rows.
OWN_KEYS: dict[str, dict[str, Any]] = {
    "kunlun": {  # 3 blocks: a block rewrites the sequence only if a later one pools it
        "num_blocks": 3,
        "sequence_tokens": 2,
        "seq_len": 10,
        "num_heads": 2,
        "mlp_hidden": [8],
        "position": "rote",
        "sequence_pool": "target",
    },
    "rankmixer": {"num_experts": 2, "router_penalty": 0.05, "num_blocks": 2},
    "tokenmixer_large": {
        "aux_weight": 0.5,
        "num_blocks": 3,
        "inter_residual_every": 1,
        "num_tokens": 8,
        "tokenizer": "semantic_groups",
        "tokenizer_hidden": 6,
        "global_token": True,
        "num_experts": 4,
        "active_experts": 3,
    },
}


def rank_main(root: Path, _rank: int, world_size: int) -> dict[str, Any]:
    sparse_ffn.MIN_ROWS_SAVED = 0  # group rows in these small batches too
    results = {}
    for family in FAMILIES:
        model = {**SHAPE, **OWN_KEYS.get(family, {})}
        for stage in STAGES if world_size == 2 else (0,):
            name = f"{family}-{stage}"
            request = make_request(root, f"{world_size}-{name}", family, model, stage)
            # After a quiet start and a few steps, scores are so close that their last bits rank
            # them. test_training_ranks.py has one.
            training = request.training.model_copy(update={"quiet_start": False})
            results[name] = train(request.model_copy(update={"training": training}))
    return results


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("families")
    write_data(root)
    return root


@pytest.fixture(scope="module")
def alone(root: Path) -> dict[str, Any]:
    return start_ranks(__name__, root, 1)[0]


@pytest.fixture(scope="module")
def pair(root: Path) -> list[dict[str, Any]]:
    return start_ranks(__name__, root, 2)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("family", FAMILIES)
def test_two_ranks_have_the_loss_curve_of_one(
    family: str, stage: int, alone: dict[str, Any], pair: list[dict[str, Any]]
) -> None:
    first, second = (results[f"{family}-{stage}"] for results in pair)
    expected = alone[f"{family}-0"]
    assert first == second
    assert first["losses"] == pytest.approx(expected["losses"], rel=1e-5)
    for name, value in expected["metrics"].items():
        assert first["metrics"][name] == pytest.approx(value, abs=1e-4), name


if __name__ == "__main__":
    run_rank(rank_main)
