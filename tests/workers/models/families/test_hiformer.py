"""HiFormer's composite projections against the paper's formula."""

import pytest
import torch

from mixfront.exceptions import SpecError
from mixfront.models import count_cost, make_config
from mixfront.models.families.hiformer import CompositeAttention, FullComposite, LowRankComposite
from mixfront.models.layers.attention import attend

T, D, HEADS = 3, 4, 2


@pytest.mark.parametrize("rank", [0, 5])
def test_composite_projections(rank: int) -> None:
    """[q_1..q_T] = concat(x_1..x_T) Q^, with Q^ = A_Q B_Q at low rank."""
    attention = CompositeAttention(T, D, HEADS, rank)
    project, x = attention.project, torch.randn(6, T, D)
    if isinstance(project, LowRankComposite):
        reduce = project.reduce.chunk(3, dim=1)
        matrices = [a @ b for a, b in zip(reduce, project.expand, strict=True)]
    else:
        assert isinstance(project, FullComposite)
        matrices = [layer.get_parameter("weight").T for layer in project.maps]
    query, key, value = ((x.flatten(1) @ matrix).view(6, T, D) for matrix in matrices)
    mixed = attend(query, key, value, HEADS)
    expected = torch.einsum("ntd,tde->nte", mixed, attention.output.weight)
    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-5)


def test_low_rank_starts_at_the_scale_of_the_full_matrix() -> None:
    low, full = LowRankComposite(256, 16), FullComposite(256)
    product = low.reduce[:, :16] @ low.expand[0]
    weight = full.maps[0].get_parameter("weight")
    assert product.std().item() == pytest.approx(weight.std().item(), rel=0.1)


def test_factors_may_start_at_a_given_deviation() -> None:
    low = LowRankComposite(256, 16, factor_std=1e-3)
    for factor in low.parameters():
        assert factor.std().item() == pytest.approx(1e-3, rel=0.05)


def test_full_matrices_have_no_factors() -> None:
    with pytest.raises(SpecError, match=r"factor_std 0\.001 needs factors, which rank 0 does not"):
        make_config("hiformer", {"rank": 0, "factor_std": 1e-3})


@pytest.mark.parametrize(("rank", "params"), [(0, 51.4e6), (64, 2.6e6)])
def test_size_of_the_projections(rank: int, params: float) -> None:
    """T = 16, D = 256."""
    values = {"num_tokens": 16, "token_dim": 256, "num_blocks": 1, "rank": rank}
    cost = count_cost("hiformer", make_config("hiformer", values)).blocks.params
    ffn = 16 * (4 * 256**2 + 3 * 256) + 4 * 256
    assert cost - ffn == pytest.approx(params, rel=0.01)
