"""TokenMixer-Large's sparse FFN, expert by expert."""

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
            logits, experts = (x[n, t] @ ffn.router.weight[t]).sort(descending=True)
            g = logits[:2].softmax(0) * EXPERTS / ACTIVE
            routed = g[0] * outputs[int(experts[0])] + g[1] * outputs[int(experts[1])]
            expected[n, t] = routed + outputs[-1]
    torch.testing.assert_close(ffn(x), expected, rtol=1e-5, atol=1e-5)
