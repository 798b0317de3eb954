"""The UniMixer families' block against the paper's formula."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models import build_ranker, make_config
from mixfront.models.mixing.sinkhorn_pattern import SinkhornPattern

VALUES = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "stack": "plain", "num_blocks": 1}


@pytest.mark.parametrize("family", ["unimixer", "unimixer_lite"])
def test_block_matches_the_formula(
    family: str, layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    """Norm(x + pSwiGLU(Norm(x + UniMixing(x)))) of one block in a plain stack."""
    ranker = build_ranker(family, make_config(family, VALUES), layout)
    block = ranker.stack.get_submodule("blocks.0")
    patterns = [module for module in block.modules() if isinstance(module, SinkhornPattern)]
    local, global_ = (pattern.matrix() for pattern in patterns)
    x = ranker.tokenizer(*rows[:4])
    blocks = x.reshape(6, 16, 4)
    mixed = torch.einsum("ij,njc->nic", global_, torch.einsum("njb,jbc->njc", blocks, local))
    z = F.rms_norm(x + mixed.reshape(x.shape), (16,), eps=1e-6)
    tokens = F.rms_norm(x + block.get_submodule("ffn")(z), (16,), eps=1e-6)
    expected = tokens.mean(1) @ ranker.get_parameter("head.output.weight")[0]

    torch.testing.assert_close(ranker(*rows), expected)
