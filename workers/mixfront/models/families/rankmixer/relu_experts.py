"""RankMixer's per-token mixture of experts: ReLU routing and DTSI (arXiv 2507.15551)."""

import math

import torch
from torch import Tensor, nn

from mixfront.models.layers.per_token import GeluFFN, PerTokenLinear, gelu
from mixfront.models.layers.precision import at_least_fp32


class ReluExpertsFFN(nn.Module):
    """v_t = sum_j g_tj E_tj(x_t): every token has its own E experts, each a `GeluFFN`.

    Dense training, sparse inference (DTSI): g = ReLU(h_infer(x)) when serving, and
    (softmax(h_train(x)) + ReLU(h_infer(x))) / 2 in training, so that all experts learn. The paper
    does not say how to combine the two routers.

    The experts are computed as one FFN of E h hidden units, weighted by the gates. All of them run
    in both modes; a closed gate saves no time here.

    Args:
        num_tokens: T.
        dim: Width D of a token.
        hidden: Hidden width h of one expert.
        num_experts: E.
        dropout: Rate on the hidden units.
    """

    def __init__(
        self, num_tokens: int, dim: int, hidden: int, *, num_experts: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.up = PerTokenLinear(num_tokens, dim, hidden, parts=num_experts)
        scale = math.sqrt((num_experts * hidden + dim) / (hidden + dim))  # Xavier of one expert
        self.down = PerTokenLinear(num_tokens, num_experts * hidden, dim, bias=False, scale=scale)
        self.down_bias = nn.Parameter(torch.zeros(num_tokens, num_experts, dim))
        self.train_router = _router(num_tokens, dim, num_experts)
        self.infer_router = _router(num_tokens, dim, num_experts)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, D) -> (N, T, D), and the sum of ReLU(h_infer) over T and E, (N,)."""
        routed = torch.relu(at_least_fp32(self.infer_router(x)))
        gates = routed
        if self.training:
            gates = (at_least_fp32(self.train_router(x)).softmax(-1) + routed) / 2
        hidden = gelu(self.up(x)).reshape(*gates.shape, -1)
        hidden = hidden * gates.to(hidden.dtype).unsqueeze(-1)
        bias = torch.bmm(gates.transpose(0, 1), self.down_bias).transpose(0, 1)
        out: Tensor = self.down(self.dropout(hidden.flatten(-2))) + bias
        return out, routed.sum((1, 2))

    @staticmethod
    def params(num_tokens: int, dim: int, hidden: int, num_experts: int) -> int:
        """T E (2Dh + h + D) of the experts and 2 T E (D + 1) of the routers."""
        experts = num_experts * GeluFFN.params(num_tokens, dim, hidden)
        return experts + 2 * num_tokens * num_experts * (dim + 1)

    @staticmethod
    def flops(num_tokens: int, dim: int, hidden: int, num_experts: int) -> int:
        """T E (4Dh + 4D) per sample: all experts, one router, and gates times biases."""
        experts = num_experts * GeluFFN.flops(num_tokens, dim, hidden)
        return experts + 4 * num_tokens * num_experts * dim

    @staticmethod
    def training_flops(num_tokens: int, dim: int, num_experts: int) -> int:
        """2 T E D more per sample in training, for the second router."""
        return 2 * num_tokens * num_experts * dim


def _router(num_tokens: int, dim: int, num_experts: int) -> PerTokenLinear:
    """A router whose biases start at 1, so that every gate is initially open."""
    router = PerTokenLinear(num_tokens, dim, num_experts)
    assert router.bias is not None
    nn.init.ones_(router.bias)
    return router
