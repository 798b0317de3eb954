"""The Transformer layer against torch's."""

import torch
from torch import nn

from mixfront.models import StackContext
from mixfront.models.families.transformer import (
    SelfAttention,
    TransformerConfig,
    transformer_block,
)

MHA = {
    "in_proj_weight": "project.weight",
    "in_proj_bias": "project.bias",
    "out_proj.weight": "output.weight",
    "out_proj.bias": "output.bias",
}


def _copy(theirs: nn.Module, ours: nn.Module, names: dict[str, str]) -> None:
    """Their weights are (out, in), ours (1, in, out); biases are (out) and (1, 1, out)."""
    with torch.no_grad():
        for their_name, our_name in names.items():
            their = theirs.get_parameter(their_name)
            nn.init.normal_(their)
            our = ours.get_parameter(our_name)
            our.copy_((their.mT if their.ndim == 2 else their).reshape(our.shape))


def test_self_attention_matches_torch() -> None:
    theirs, ours = nn.MultiheadAttention(12, 3, batch_first=True), SelfAttention(5, 12, 3)
    _copy(theirs, ours, MHA)
    x = torch.randn(4, 5, 12)
    expected, _ = theirs(x, x, x, need_weights=False)
    torch.testing.assert_close(ours(x), expected, rtol=1e-5, atol=1e-5)


def test_layer_matches_torch() -> None:
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
