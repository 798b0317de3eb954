"""TokenMixer-Large's per-token mixture with a shared expert, SP-MoE (arXiv 2602.06563)."""

from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models.families.tokenmixer_large.expert_linear import (
    DownExperts,
    GateUpExperts,
    Router,
)
from mixfront.models.families.tokenmixer_large.grouped_product import split_hidden
from mixfront.models.families.tokenmixer_large.grouping import group_rows
from mixfront.models.layers.per_token import SwiGluFFN
from mixfront.models.layers.precision import at_least_fp32, to_autocast_dtype


class SparseSwiGluFFN(nn.Module):
    """y_t = alpha sum_{i in Top-(a-1)} g_i E_i(x_t) + Shared(x_t), every expert a pSwiGLU.

    The E experts, including the shared one, have h / E hidden units each. alpha = E / a. g is the
    softmax over the logits of all E - 1 routed experts, before the choice: over the selected
    logits alone it is constant if a = 2, and the router has no gradient. Routing is the same in
    training and inference. Only selected experts are computed, and no row is dropped.

    Attributes:
        padded_share: Share of padding in the last forward's products of rows and experts.

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
        self.num_experts, self._active = num_experts, active
        self.gate_up = GateUpExperts(num_tokens, dim, hidden, num_experts, bias=bias)
        self.down = DownExperts(num_tokens, hidden, dim, num_experts, bias=bias, scale=down_scale)
        self.router = Router(num_tokens, dim, num_experts - 1)
        self._num_units, self._dropout = hidden // num_experts, dropout
        self.padded_share = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        x = to_autocast_dtype(x)
        shares, choices = self.select(x)
        grouping = group_rows(choices, self.num_experts)
        self.padded_share = grouping.padded_share
        gate_up = split_hidden(self.gate_up(x, grouping), grouping, 2 * self._num_units)
        weights = grouping.expert_weights(shares)
        hidden = [self._hidden(*pair) for pair in zip(gate_up, weights, strict=True)]
        out: Tensor = self.down(hidden, grouping)
        return out

    def select(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, D) -> alpha g_i and i of the selected experts, best first, both (T, a - 1, N)."""
        logits = self.router(x)
        # Rows innermost: a softmax over a few adjacent logits is not vectorised on CPUs.
        shares = at_least_fp32(logits).contiguous().softmax(1)
        if self._active == 2:  # several times faster than topk
            top, choices = shares.max(1, keepdim=True)
        else:
            top, choices = shares.topk(self._active - 1, dim=1)
        return top * (self.num_experts / self._active), choices

    def _hidden(self, gate_up: Tensor, weights: Tensor) -> Tensor:
        """(c, 2s h / E, P) and (c, s, 1, P) -> weighted hidden units (c, s, h / E, P)."""
        split = gate_up.view(*weights.shape[:2], 2, self._num_units, -1)
        gate, up = split.unbind(2)
        hidden = F.silu(gate) * up * weights.to(up.dtype)
        # Not a module: ZeRO 3 needs as many calls on every rank, and ranks differ in buckets.
        return F.dropout(hidden, self._dropout, self.training)

    @staticmethod
    def params(
        num_tokens: int, dim: int, hidden: int, num_experts: int, *, bias: bool = False
    ) -> int:
        """Those of a dense pSwiGLU, plus TD (E - 1) for the router."""
        experts = SwiGluFFN.params(num_tokens, dim, hidden, bias=bias)
        return experts + num_tokens * dim * (num_experts - 1)

    @staticmethod
    def flops(num_tokens: int, dim: int, hidden: int, num_experts: int, active: int) -> int:
        """6TDh a/E + 2TD (E - 1) per sample."""
        router = 2 * num_tokens * dim * (num_experts - 1)
        return SwiGluFFN.flops(num_tokens, dim, hidden // num_experts * active) + router
