"""TokenMixer-Large's sparse FFN, expert by expert."""

import pytest
import torch
from torch.nn import functional as F

from mixfront.models.families.tokenmixer_large.sparse_ffn import SparseSwiGluFFN

T, D, HIDDEN, EXPERTS, ACTIVE = 3, 4, 8, 4, 3


def test_matches_the_formula() -> None:
    """y_t = alpha sum over the top a - 1 of g_i E_i(x_t), plus the shared expert's output."""
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
            shares = (x[n, t] @ ffn.router.weight[t]).softmax(0)
            g, experts = (shares * EXPERTS / ACTIVE).sort(descending=True)
            routed = g[0] * outputs[int(experts[0])] + g[1] * outputs[int(experts[1])]
            expected[n, t] = routed + outputs[-1]
    torch.testing.assert_close(ffn(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("experts", "active"), [(4, 2), (4, 3), (4, 4), (8, 2), (8, 3)])
def test_the_router_has_a_gradient(experts: int, active: int) -> None:
    """Also with one routed expert, because shares are taken before the choice."""
    ffn = SparseSwiGluFFN(T, D, 8, num_experts=experts, active=active)
    torch.autograd.backward(ffn(torch.randn(16, T, D)).square().sum())
    grad = ffn.router.weight.grad
    assert grad is not None
    assert grad.abs().amax((1, 2)).min() > 1e-4  # for every token
