"""SP-MoE expert by expert, and TokenMixer-Large with it."""

import pytest
import torch
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models import build_ranker, count_cost, make_config
from mixfront.models.families.tokenmixer_large.sparse_ffn import SparseSwiGluFFN

T, D, HIDDEN, EXPERTS, ACTIVE = 3, 4, 8, 4, 3


def test_by_the_formula() -> None:
    """y_t = alpha sum over the a - 1 best of g_i E_i(x_t), and the shared expert's output."""
    ffn = SparseSwiGluFFN(T, D, HIDDEN, num_experts=EXPERTS, active=ACTIVE)
    gate, up = ffn.gate_up.weight.chunk(2, dim=-1)
    x = torch.randn(5, T, D)
    expected = torch.zeros_like(x)
    for n in range(5):
        for t in range(T):
            outputs = []
            for e in range(EXPERTS):
                units = slice(2 * e, 2 * e + 2)
                row = x[n, t]
                hidden = F.silu(row @ gate[t][:, units]) * (row @ up[t][:, units])
                outputs.append(hidden @ ffn.down.weight[t][units])
            logits, picked = (x[n, t] @ ffn.router.weight[t]).sort(descending=True)
            g = logits[:2].softmax(0) * EXPERTS / ACTIVE
            routed = g[0] * outputs[int(picked[0])] + g[1] * outputs[int(picked[1])]
            expected[n, t] = routed + outputs[-1]
    torch.testing.assert_close(ffn(x), expected, rtol=1e-5, atol=1e-5)


SPARSE = {"num_experts": 4, "active_experts": 3}


def test_counts_what_it_runs() -> None:
    """The dense parameters and FLOPs, and the two routers'; H = T, so both have TD (E - 1)."""
    dense = count_cost("tokenmixer_large", make_config("tokenmixer_large", {}))
    sparse = count_cost("tokenmixer_large", make_config("tokenmixer_large", SPARSE))
    router = 16 * 64 * 3
    assert sparse.dense_params - dense.dense_params == 2 * 2 * router
    assert sparse.flops_per_sample - dense.flops_per_sample == 2 * 2 * 2 * router


@pytest.mark.parametrize("ffn_bias", [False, True])
def test_gradients_reach_every_parameter(layout: FeatureLayout, ffn_bias: bool) -> None:
    torch.manual_seed(0)
    values = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "ffn_bias": ffn_bias, **SPARSE}
    ranker = build_ranker("tokenmixer_large", make_config("tokenmixer_large", values), layout)
    numeric = torch.randn(32, 2)
    numeric[:3] = torch.nan
    with torch.autocast("cpu", torch.bfloat16):
        logits = ranker(torch.randn(32, 3, 8), numeric)
    torch.autograd.backward(logits.square().sum())
    for name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"num_experts": 2, "active_experts": 3}, "active_experts 3 is more than num_experts 2"),
        ({"num_experts": 3}, "num_experts 3 does not divide the hidden width 128"),
        ({"num_experts": 4, "active_experts": 1}, "'active_experts' is 1"),
    ],
)
def test_what_is_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        make_config("tokenmixer_large", values)
