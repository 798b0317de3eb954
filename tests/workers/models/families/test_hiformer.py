"""Heterogeneous attention, HiFormer and HHFT by their formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, count_cost, make_config
from mixfront.models.families.heterogeneous_attention import HeterogeneousAttention
from mixfront.models.families.hhft import HHFTConfig, hhft_blocks
from mixfront.models.families.hiformer import CompositeAttention, FullComposite, LowRankComposite
from mixfront.models.layers.attention import attend
from mixfront.models.layers.encoder_block import EncoderBlock

T, D, HEADS = 3, 4, 2


def test_every_token_has_its_own_projections() -> None:
    """o_i = concat_h(sum_j softmax_j((x_i Q_i)(x_j K_j)^T / sqrt(d_h)) x_j V_j) O_i."""
    attention = HeterogeneousAttention(T, D, HEADS)
    x = torch.randn(5, T, D)
    projected = torch.einsum("ntd,tde->nte", x, attention.project.weight)
    query, key, value = projected.chunk(3, dim=-1)
    expected = torch.zeros(5, T, D)
    for h in range(HEADS):
        s = slice(2 * h, 2 * h + 2)
        scores = torch.einsum("nid,njd->nij", query[..., s], key[..., s]) / 2**0.5
        expected[..., s] = torch.einsum("nij,njd->nid", scores.softmax(-1), value[..., s])
    expected = torch.einsum("ntd,tde->nte", expected, attention.output.weight)
    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-5)


def test_tokens_of_a_group_share_weights() -> None:
    attention = HeterogeneousAttention(T, D, HEADS, groups=(1, 0, 1))
    own = HeterogeneousAttention(T, D, HEADS)
    with torch.no_grad():
        own.project.weight.copy_(attention.project.weight[[1, 0, 1]])
        own.output.weight.copy_(attention.output.weight[[1, 0, 1]])
    x = torch.randn(5, T, D)
    torch.testing.assert_close(attention(x), own(x))


@pytest.mark.parametrize("norm_pos", ["pre", "post"])
def test_norms_and_residuals(norm_pos: str) -> None:
    attention, ffn = torch.nn.Linear(D, D), torch.nn.Linear(D, D)
    block = EncoderBlock(D, attention, ffn, "pre" if norm_pos == "pre" else "post")
    x = torch.randn(5, T, D)

    def norm(y: Tensor) -> Tensor:
        return F.layer_norm(y, (D,), eps=1e-6)

    if norm_pos == "pre":
        middle = x + attention(norm(x))
        expected = middle + ffn(norm(middle))
    else:
        middle = norm(x + attention(x))
        expected = norm(middle + ffn(middle))
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected)


@pytest.mark.parametrize("rank", [0, 5])
def test_composite_projections(rank: int) -> None:
    """[q_1..q_T] = concat(x_1..x_T) Q^ with Q^ = A_Q B_Q where it has low rank."""
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


@pytest.mark.parametrize(("rank", "params"), [(0, 51.4e6), (64, 2.6e6)])
def test_size_of_the_projections(rank: int, params: float) -> None:
    """T = 16, D = 256."""
    values = {"num_tokens": 16, "token_dim": 256, "num_blocks": 1, "rank": rank}
    cost = count_cost("hiformer", make_config("hiformer", values)).blocks.params
    network = 16 * (4 * 256**2 + 3 * 256) + 4 * 256
    assert cost - network == pytest.approx(params, rel=0.01)


def test_hhft_is_encoders_under_hiformer() -> None:
    config = HHFTConfig(num_blocks=4, hiformer_layers=1)
    kinds = [
        type(block.attention) for block in hhft_blocks(config) if isinstance(block, EncoderBlock)
    ]
    assert kinds == [HeterogeneousAttention] * 3 + [CompositeAttention]


def test_groups_save_parameters_not_flops() -> None:
    values = {"num_tokens": 4, "token_dim": 8, "num_blocks": 2}
    own = count_cost("hhft", make_config("hhft", values))
    grouped = count_cost("hhft", make_config("hhft", {**values, "token_groups": [0, 1, 1, 0]}))
    a_token = 8 * 8**2 + 3 * 8  # 4D^2 + 2kD^2 + kD + D at k = 2
    assert own.dense_params - grouped.dense_params == 2 * a_token
    assert own.flops_per_sample == grouped.flops_per_sample


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"hiformer_layers": 3}, "hiformer_layers 3 is more than num_blocks 2"),
        ({"token_groups": [0, 1]}, "token_groups has 2 entries for num_tokens 16"),
        ({"num_tokens": 3, "token_groups": [0, 2, 0]}, r"\[0, 2, 0\] skips numbers"),
    ],
)
def test_what_hhft_refuses(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        make_config("hhft", values)
