"""Every hyperparameter of UniMixer changes the model."""

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models import Ranker, build_ranker, make_config
from mixfront.models.mixing.view import mixing_patterns

SMALL = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "logit_init_std": 1.0}


def build(layout: FeatureLayout, **values: object) -> Ranker:
    torch.manual_seed(0)
    ranker = build_ranker("unimixer", make_config("unimixer", {**SMALL, **values}), layout)
    ranker.set_tau(0.2)
    return ranker


@pytest.mark.parametrize(
    ("schedule", "tau"),
    [("linear", 0.7), ("two_stage", 0.7), ("constant", 0.05), ("off", 1.0)],
)
def test_a_fresh_model_has_the_temperature_of_the_first_step(
    layout: FeatureLayout, schedule: str, tau: float
) -> None:
    values = {**SMALL, "tau_start": 0.7, "tau_schedule": schedule}
    ranker = build_ranker("unimixer", make_config("unimixer", values), layout)
    for pattern in mixing_patterns(ranker).values():
        assert float(pattern.tau) == pytest.approx(tau)


def test_a_start_near_the_permutation_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SpecError, match="near_perm needs a block_size that divides token_dim 16"):
        make_config("unimixer", {**SMALL, "block_size": 32, "init": "near_perm"})


@pytest.mark.parametrize(
    "values",
    [
        {"symmetric": False},
        {"resymmetrise": True},
        {"shared_local": True},
        {"stack": "plain"},
        {"norm": "layer"},
        {"init": "near_perm"},
        {"init": "identity", "init_strength": 0.3},
        {"transpose": True},
        {"sinkhorn_iters": 1},
        {"ffn_hidden": 7},
        {"block_size": 32},
        {"block_size": 1},
    ],
    ids=str,
)
def test_a_hyperparameter_changes_the_model_and_it_trains(
    layout: FeatureLayout, rows: tuple[Tensor, ...], values: dict[str, object]
) -> None:
    ranker = build(layout, **values)
    default = build(layout)

    logits = ranker(*rows)
    torch.autograd.backward(logits.square().sum())

    assert not torch.allclose(logits, default(*rows), atol=1e-7)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in ranker.parameters())
