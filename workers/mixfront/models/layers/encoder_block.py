"""The block of the Transformer and its relatives, whatever attention and network they use."""

from typing import Literal

from torch import Tensor, nn

from mixfront.models._base import Block, NormKind, StackContext
from mixfront.models.layers.norms import Norm

NormPosition = Literal["pre", "post"]


class EncoderBlock(Block):
    """Attention, then a feed-forward network, each with its residual and its norm.

    pre:  X <- X + Attn(LN X), X <- X + FFN(LN X)
    post: X <- LN(X + Attn X), X <- LN(X + FFN X)

    Args:
        dim: D.
        attention: (N, T, D) -> (N, T, D); any other mixing of tokens serves as well.
        ffn: (N, T, D) -> (N, T, D); without one, its half and its norm are left out.
        norm_pos: Where the norms stand.
        norm: What LN is.
    """

    def __init__(
        self,
        dim: int,
        attention: nn.Module,
        ffn: nn.Module | None,
        norm_pos: NormPosition = "pre",
        norm: NormKind = "layer",
    ) -> None:
        super().__init__()
        self.attention = attention
        self.ffn = ffn
        self.attention_norm = Norm(norm, dim)
        self.ffn_norm = nn.Identity() if ffn is None else Norm(norm, dim)
        self._pre = norm_pos == "pre"

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        x = self._half(x, self.attention, self.attention_norm)
        return x if self.ffn is None else self._half(x, self.ffn, self.ffn_norm)

    def _half(self, x: Tensor, inner: nn.Module, norm: nn.Module) -> Tensor:
        out: Tensor = x + inner(norm(x)) if self._pre else norm(x + inner(x))
        return out
