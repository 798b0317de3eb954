"""TokenMixer-Large's per-token mixture with a shared expert, SP-MoE (arXiv 2602.06563)."""

import torch
from torch import Tensor, nn

from mixfront.models.layers.per_token import PerTokenLinear, SwiGluFFN, swiglu


class SparseSwiGluFFN(nn.Module):
    """y_t = alpha sum_{i in Top-(a-1)} g_i E_i(x_t) + Shared(x_t), every expert a pSwiGLU.

    The E experts, including the shared one, have h / E hidden units each and are computed as one
    dense pSwiGLU with weighted hidden units: alpha g_i for the selected experts, 0 for the others,
    1 for the shared one. alpha = E / a. g is the softmax over the logits of all E - 1 routed
    experts, before the choice: over the selected logits alone it is constant if a = 2, and the
    router has no gradient. Routing is the same in training and inference.

    Args:
        num_tokens: T.
        dim: Width D of a token.
        hidden: h, a multiple of `num_experts`.
        num_experts: E, at least 2.
        active: a, from 2 to E, including the shared expert.
        dropout: Rate on the hidden units.
        bias: Biases in the experts; the one after the down matrix is the shared expert's.
        down_scale: Factor on the initial down matrices.
    """

    def __init__(
        self,
        num_tokens: int,
        dim: int,
        hidden: int,
        *,
        num_experts: int,
        active: int,
        dropout: float = 0.0,
        bias: bool = False,
        down_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self._num_experts, self._active = num_experts, active
        self.gate_up = PerTokenLinear(num_tokens, dim, hidden, parts=2, bias=bias)
        self.down = PerTokenLinear(num_tokens, hidden, dim, bias=bias, scale=down_scale)
        self.router = PerTokenLinear(num_tokens, dim, num_experts - 1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        hidden = swiglu(self.gate_up(x))
        weights = self.expert_weights(x).to(hidden.dtype)
        experts = hidden.reshape(*weights.shape, -1) * weights.unsqueeze(-1)
        out: Tensor = self.down(self.dropout(experts.flatten(-2)))
        return out

    def expert_weights(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, E), the shared expert last."""
        shares = self.router(x).float().softmax(-1)
        top, experts = shares.topk(self._active - 1, dim=-1)
        weights = top * (self._num_experts / self._active)
        routed = torch.zeros_like(shares).scatter(-1, experts, weights)
        return torch.cat([routed, torch.ones_like(routed[..., :1])], dim=-1)

    @staticmethod
    def params(
        num_tokens: int, dim: int, hidden: int, num_experts: int, *, bias: bool = False
    ) -> int:
        """Those of a dense pSwiGLU, plus TD (E - 1) for the router."""
        experts = SwiGluFFN.params(num_tokens, dim, hidden, bias=bias)
        return experts + num_tokens * dim * (num_experts - 1)

    @staticmethod
    def flops(num_tokens: int, dim: int, hidden: int, num_experts: int) -> int:
        """6TDh + 2TD (E - 1) per sample, because all experts are computed."""
        router = 2 * num_tokens * dim * (num_experts - 1)
        return SwiGluFFN.flops(num_tokens, dim, hidden) + router
