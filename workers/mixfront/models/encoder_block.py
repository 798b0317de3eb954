"""The block of the Transformer and its relatives, whatever attention and network they use."""

from typing import Literal

from torch import Tensor, nn

from mixfront.models._base import Block, StackContext
from mixfront.models.norms import Norm

NormPosition = Literal["pre", "post"]


class EncoderBlock(Block):
    """Attention, then a feed-forward network, each with its residual and its LayerNorm.

    pre:  X <- X + Attn(LN X), X <- X + FFN(LN X)
    post: X <- LN(X + Attn X), X <- LN(X + FFN X)

    Args:
        dim: D.
        attention: (N, T, D) -> (N, T, D).
        ffn: (N, T, D) -> (N, T, D).
        norm_pos: Where the norms stand.
    """

    def __init__(
        self, dim: int, attention: nn.Module, ffn: nn.Module, norm_pos: NormPosition = "pre"
    ) -> None:
        super().__init__()
        self.attention = attention
        self.ffn = ffn
        self.attention_norm = Norm("layer", dim)
        self.ffn_norm = Norm("layer", dim)
        self._pre = norm_pos == "pre"

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        if self._pre:
            x = x + self.attention(self.attention_norm(x))
            x = x + self.ffn(self.ffn_norm(x))
        else:
            x = self.attention_norm(x + self.attention(x))
            x = self.ffn_norm(x + self.ffn(x))
        return x
