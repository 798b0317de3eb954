"""What autograd saves, on small modules with known answers."""

from typing import Any

import torch
from torch import Tensor, nn

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, build_ranker, count_cost, make_config
from mixfront.models.activation_memory import ActivationMemory, saved_bytes
from mixfront.models.families.rankmixer.block import RankMixerConfig

FLOAT = 4  # bytes


class _Squares(nn.Module):
    """Saves its input, a weight, and a tensor that it squares `times` times."""

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
    """T D floats per row for `scaled`; `tokens` are saved for the product with the weight."""
    none, once, thrice = (
        saved_bytes(ranker_with(_Squares(times), layout), layout, rows=5) for times in (0, 1, 3)
    )
    tokens = 5 * 16 * 64 * FLOAT
    assert once == thrice
    assert once - none == tokens


def test_a_batch_takes_memory_per_row_and_per_step() -> None:
    memory = ActivationMemory(per_sample=10, per_step=7)
    assert memory.of_batch(3) == 37


def test_more_sinkhorn_rounds_take_memory_per_step_not_per_row() -> None:
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
    potentials = n  # of the one additional absorption, in the global matrix
    assert many.per_step - few.per_step == layers * FLOAT * (vectors + potentials)


def test_models_with_penalties_are_counted_too() -> None:
    """Each expert saves its hidden units three times: before and after GELU, and weighted."""
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


def test_counting_leaves_no_gradients(layout: FeatureLayout) -> None:
    ranker = build_ranker("rankmixer", make_config("rankmixer", {}), layout)
    with torch.no_grad():
        assert saved_bytes(ranker, layout, rows=2) > 0
    assert all(parameter.grad is None for parameter in ranker.parameters())
