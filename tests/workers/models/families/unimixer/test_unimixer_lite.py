"""UniMixing-Lite as the authors' code has it."""

import torch

from mixfront.data.batch import FeatureLayout
from mixfront.models import build_ranker, make_config
from mixfront.models.mixing.local_patterns import BasisLocal
from mixfront.models.mixing.sinkhorn_pattern import SinkhornPattern

AUTHORS = {
    "sinkhorn_iters": 1,
    "tau_schedule": "constant",
    "tau_end": 0.05,
    "symmetric": False,
    "factor_init": "factors",
    "logit_init_std": 0.1,
    "transpose": True,
}


def test_the_authors_matrices_take_one_round_at_one_temperature(layout: FeatureLayout) -> None:
    """exp(logits / 0.05), rows divided by their sums, then columns by theirs."""
    torch.manual_seed(0)
    shape = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "rank": 2}
    ranker = build_ranker("unimixer_lite", make_config("unimixer_lite", shape | AUTHORS), layout)
    patterns = [module for module in ranker.modules() if isinstance(module, SinkhornPattern)]
    assert len(patterns) == 4
    for pattern in patterns:
        kernel = (pattern.logits().double() / 0.05).exp()
        rows = kernel / kernel.sum(-1, keepdim=True)
        expected = rows / rows.sum(-2, keepdim=True)
        torch.testing.assert_close(pattern.matrix().double(), expected, rtol=1e-4, atol=1e-7)
        if isinstance(pattern, BasisLocal):
            assert pattern.omega.abs().max() < (6 / (16 + 2)) ** 0.5
