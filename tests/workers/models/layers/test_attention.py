"""Attention and its first users against torch's own modules and the papers' formulas."""

import pytest
import torch
from torch import Tensor, nn

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, make_config
from mixfront.models.families.autoint import AutoIntBlock, AutoIntConfig
from mixfront.models.families.transformer import (
    SelfAttention,
    TransformerConfig,
    transformer_block,
)
from mixfront.models.layers.attention import attend


def by_hand(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """One head."""
    scores = torch.einsum("nid,njd->nij", query, key) * scale
    return torch.einsum("nij,njd->nid", torch.softmax(scores, dim=-1), value)


@pytest.mark.parametrize("use_scale", [True, False])
def test_heads_lie_side_by_side(use_scale: bool) -> None:
    q, k, v = torch.randn(3, 5, 4, 6)
    scale = 3**-0.5 if use_scale else 1.0
    heads = [by_hand(q[..., s], k[..., s], v[..., s], scale) for s in (slice(3), slice(3, 6))]
    out = attend(q, k, v, 2, use_scale=use_scale)
    torch.testing.assert_close(out, torch.cat(heads, dim=-1), rtol=1e-5, atol=1e-5)


def test_a_gate_of_ones_changes_nothing() -> None:
    q, k, v = torch.randn(3, 5, 4, 6)
    gated = attend(q, k, v, 2, gate=torch.ones(4, 4))
    torch.testing.assert_close(gated, attend(q, k, v, 2), rtol=1e-5, atol=1e-5)


def _copy(theirs: nn.Module, ours: nn.Module, names: dict[str, str]) -> None:
    """Theirs are (out, in), ours (1, in, out); biases (out) and (1, 1, out)."""
    with torch.no_grad():
        for their_name, our_name in names.items():
            their = theirs.get_parameter(their_name)
            nn.init.normal_(their)
            our = ours.get_parameter(our_name)
            our.copy_((their.mT if their.ndim == 2 else their).reshape(our.shape))


MHA = {
    "in_proj_weight": "project.weight",
    "in_proj_bias": "project.bias",
    "out_proj.weight": "output.weight",
    "out_proj.bias": "output.bias",
}


def test_self_attention_is_torchs() -> None:
    theirs, ours = nn.MultiheadAttention(12, 3, batch_first=True), SelfAttention(5, 12, 3)
    _copy(theirs, ours, MHA)
    x = torch.randn(4, 5, 12)
    expected, _ = theirs(x, x, x, need_weights=False)
    torch.testing.assert_close(ours(x), expected, rtol=1e-5, atol=1e-5)


def test_transformer_layer_is_torchs() -> None:
    theirs = nn.TransformerEncoderLayer(
        12, 3, 20, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    config = TransformerConfig(num_tokens=5, token_dim=12, num_heads=3, ffn_hidden=20)
    ours = transformer_block(config)
    mha = {f"self_attn.{theirs}": f"attention.{ours}" for theirs, ours in MHA.items()}
    ends = ("weight", "bias")
    ffn = {f"linear{i}.{e}": f"ffn.{n}.{e}" for i, n in ((1, "up"), (2, "down")) for e in ends}
    names = {1: "attention_norm", 2: "ffn_norm"}
    norms = {f"norm{i}.{e}": f"{name}.{e}" for i, name in names.items() for e in ends}
    _copy(theirs, ours, mha | ffn | norms)
    x = torch.randn(4, 5, 12)
    torch.testing.assert_close(ours(x, StackContext(x0=x)), theirs(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("use_scale", [False, True])
def test_autoint_by_the_formula(use_scale: bool) -> None:
    """ReLU(concat_h softmax(q k^T) v + W_res x)."""
    config = AutoIntConfig(num_tokens=5, token_dim=6, num_heads=2, use_scale=use_scale)
    block = AutoIntBlock(config)
    query, key, value, residual = block.project.weight[0].chunk(4, dim=1)
    x = torch.randn(4, 5, 6)
    scale = 3**-0.5 if use_scale else 1.0
    halves = (slice(3), slice(3, 6))
    heads = [by_hand(x @ query[:, s], x @ key[:, s], x @ value[:, s], scale) for s in halves]
    expected = torch.relu(torch.cat(heads, dim=-1) + x @ residual)
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["transformer", "autoint"])
def test_heads_must_fit(family: str) -> None:
    with pytest.raises(SpecError, match="num_heads 3 does not divide token_dim 64"):
        make_config(family, {"num_heads": 3})
