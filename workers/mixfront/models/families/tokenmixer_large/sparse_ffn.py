"""TokenMixer-Large's per-token mixture with a shared expert, SP-MoE (arXiv 2602.06563)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models.families.tokenmixer_large.expert_linear import (
    DownExperts,
    GateUpExperts,
    Router,
)
from mixfront.models.families.tokenmixer_large.grouped_product import gate_hidden
from mixfront.models.families.tokenmixer_large.grouping import group_rows
from mixfront.models.layers.expert_load import ExpertLoad
from mixfront.models.layers.per_token import SwiGluFFN
from mixfront.models.layers.precision import at_least_fp32, to_autocast_dtype

# Rows times the share of unselected experts. Below it, all experts are computed: grouping takes
# longer than it saves, in a forward up to 6 times longer for one row.
MIN_ROWS_SAVED = 256


class SparseSwiGluFFN(nn.Module):
    """y_t = alpha sum_{i in Top-(a-1)} g_i E_i(x_t) + Shared(x_t), every expert a pSwiGLU.

    The E experts, including the shared one, have h / E hidden units each. alpha = E / a. g is the
    softmax over the logits of all E - 1 routed experts, before the choice: over the selected
    logits alone it is constant if a = 2, and the router has no gradient. Routing is the same in
    training and inference. No row is dropped. Only selected experts are computed, but in small
    batches all are, and those not selected weigh nothing, because that is faster (`groups_rows`).

    Attributes:
        load: Counts the selected experts during evaluations.
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
        self._dropout = dropout
        self.load = ExpertLoad(num_tokens, num_experts - 1)
        self.padded_share = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        x = to_autocast_dtype(x)
        shares, choices = self.select(x)
        self.load.add(choices)
        grouping = group_rows(choices, self.num_experts) if self.groups_rows(x) else None
        gate_up = self.gate_up(x, grouping)
        self.padded_share = 0.0 if grouping is None else grouping.padded_share
        if grouping is None:
            hidden = self._all_hidden(gate_up, shares, choices)
        else:
            hidden = gate_hidden(gate_up, shares, grouping)
        # Not a module: ZeRO 3 needs as many calls on every rank, and ranks differ in rows.
        hidden = F.dropout(hidden, self._dropout, self.training)
        out: Tensor = self.down(hidden, grouping)
        return out

    def groups_rows(self, x: Tensor) -> bool:
        """Whether `forward` computes only selected experts of `x`, (N, T, D)."""
        unselected = self.num_experts - self._active
        if x.is_meta:  # where costs are counted, which are those of large batches
            return unselected > 0
        return len(x) * unselected >= MIN_ROWS_SAVED * self.num_experts

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

    def _all_hidden(self, gate_up: Tensor, shares: Tensor, choices: Tensor) -> Tensor:
        """(T, N, 2h) -> hidden units of all experts, (T, N, h); those not selected are zero."""
        weights = shares.new_zeros(len(shares), self.num_experts, shares.shape[2])
        weights[:, -1] = 1
        weights = weights.scatter(1, choices, shares)
        gate, up = gate_up.chunk(2, dim=-1)
        hidden = torch.unflatten(F.silu(gate) * up, -1, (self.num_experts, -1))
        return (hidden * weights.mT.unsqueeze(-1).to(up.dtype)).flatten(2)

    @staticmethod
    def params(
        num_tokens: int, dim: int, hidden: int, num_experts: int, *, bias: bool = False
    ) -> int:
        """Those of a dense pSwiGLU, plus TD (E - 1) for the router."""
        experts = SwiGluFFN.params(num_tokens, dim, hidden, bias=bias)
        return experts + num_tokens * dim * (num_experts - 1)

    @staticmethod
    def flops(num_tokens: int, dim: int, hidden: int, num_experts: int, active: int) -> int:
        """6TDh a/E + 2TD (E - 1) per sample: the selected experts, as in large batches."""
        router = 2 * num_tokens * dim * (num_experts - 1)
        return SwiGluFFN.flops(num_tokens, dim, hidden // num_experts * active) + router
