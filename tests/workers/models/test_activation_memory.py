"""What autograd keeps, on small modules whose answer is known."""

from typing import Any

import torch
from torch import Tensor, nn

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, build_ranker, count_cost, make_config
from mixfront.models.activation_memory import ActivationMemory, saved_bytes
from mixfront.models.families.rankmixer.block import RankMixerConfig

FLOAT = 4  # bytes


class _Squares(nn.Module):
    """Keeps its input, a weight, and what it squares `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(64))
        self._times = times

    def forward(self, tokens: Tensor, *_: Any) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        scaled = tokens * self.weight
        out = tokens * 0
        for _unused in range(self._times):
            out = out + scaled**2
        return out


class _Sum(nn.Module):
    def forward(self, mixed: Tensor, _tokens: Tensor) -> Tensor:
        """(N, T, D) -> (N,)."""
        return mixed.sum((1, 2))


def ranker_with(stack: nn.Module, layout: FeatureLayout) -> Ranker:
    return Ranker(RankMixerConfig.model_validate({}), layout, stack, _Sum())


def test_one_tensor_is_counted_once_and_weights_never(layout: FeatureLayout) -> None:
    """T D floats a row for `scaled`; `tokens` are kept for the product with the weight."""
    none, once, thrice = (
        saved_bytes(ranker_with(_Squares(times), layout), layout, rows=5) for times in (0, 1, 3)
    )
    tokens = 5 * 16 * 64 * FLOAT
    assert once == thrice
    assert once - none == tokens


def test_a_batch_is_rows_and_what_there_is_once() -> None:
    memory = ActivationMemory(per_sample=10, per_step=7)
    assert memory.of_batch(3) == 37


def test_more_rounds_of_sinkhorn_cost_a_step_and_no_row_anything() -> None:
    few, many = (
        count_cost(
            "unimixer", make_config("unimixer", {"sinkhorn_iters": rounds}), activations=True
        ).activations
        for rounds in (6, 11)
    )
    assert few is not None
    assert many is not None
    assert few.per_sample == many.per_sample
    n, blocks, layers = 256, 256 * 4, 2
    vectors = 2 * (11 - 6) * (n + blocks)  # u and v of every round
    potentials = n  # what the one more absorption, of the global matrix, began from
    assert many.per_step - few.per_step == layers * FLOAT * (vectors + potentials)


def test_models_that_give_more_than_logits_are_counted_too() -> None:
    """Each expert keeps its hidden units three times: before and after GELU, and weighted."""
    two, three = (
        count_cost(
            "rankmixer", make_config("rankmixer", {"num_experts": experts}), activations=True
        ).activations
        for experts in (2, 3)
    )
    assert two is not None
    assert three is not None
    blocks, tokens, hidden = 2, 16, 128
    assert three.per_sample - two.per_sample >= blocks * 3 * tokens * hidden * FLOAT


def test_counting_leaves_no_gradient_behind(layout: FeatureLayout) -> None:
    ranker = build_ranker("rankmixer", make_config("rankmixer", {}), layout)
    with torch.no_grad():
        assert saved_bytes(ranker, layout, rows=2) > 0
    assert all(parameter.grad is None for parameter in ranker.parameters())
