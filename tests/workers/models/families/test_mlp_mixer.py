"""An MLP-Mixer layer against its formula."""

import torch
from torch.nn import functional as F

from mixfront.models import StackContext
from mixfront.models.families.mlp_mixer import MLPMixerBlock, MLPMixerConfig


def test_layer_matches_the_formula() -> None:
    """x += MLP_T(LN(x)^T)^T; x += MLP_D(LN(x)), with two norms."""
    block = MLPMixerBlock(MLPMixerConfig(num_tokens=3, token_dim=4, token_hidden=5, ffn_hidden=6))
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    w = dict(block.named_parameters())
    x = torch.randn(7, 3, 4)

    y = F.layer_norm(x, (4,), w["mix_norm.weight"], w["mix_norm.bias"], 1e-6)
    hidden = F.gelu(torch.einsum("ntd,th->ndh", y, w["mix.up.weight"][0]) + w["mix.up.bias"][0])
    mixed = torch.einsum("ndh,ht->ndt", hidden, w["mix.down.weight"][0]) + w["mix.down.bias"][0]
    x1 = x + mixed.transpose(1, 2)
    y = F.layer_norm(x1, (4,), w["ffn_norm.weight"], w["ffn_norm.bias"], 1e-6)
    hidden = F.gelu(y @ w["ffn.up.weight"][0] + w["ffn.up.bias"][0])
    expected = x1 + hidden @ w["ffn.down.weight"][0] + w["ffn.down.bias"][0]

    torch.testing.assert_close(block(x, StackContext(x0=x)), expected, rtol=1e-5, atol=1e-5)
