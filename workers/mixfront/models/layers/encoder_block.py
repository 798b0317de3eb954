"""The Transformer's encoder block, with any attention and any FFN."""

from typing import Literal

from torch import Tensor, nn

from mixfront.models._base import Block, NormKind, StackContext
from mixfront.models.layers.norms import Norm

NormPosition = Literal["pre", "post"]


class EncoderBlock(Block):
    """Attention, then an FFN, each with a residual and a norm.

    pre:  X <- X + Attn(LN X), X <- X + FFN(LN X)
    post: X <- LN(X + Attn X), X <- LN(X + FFN X)

    Args:
        dim: D.
        attention: (N, T, D) -> (N, T, D), or any other token mixing.
        ffn: (N, T, D) -> (N, T, D); None leaves out the FFN together with its norm.
        norm_pos: Whether norms come before each sublayer or after each residual.
        norm: The norm denoted by LN.
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
        x = self._sublayer(x, self.attention, self.attention_norm)
        return x if self.ffn is None else self._sublayer(x, self.ffn, self.ffn_norm)

    def _sublayer(self, x: Tensor, module: nn.Module, norm: nn.Module) -> Tensor:
        out: Tensor = x + module(norm(x)) if self._pre else norm(x + module(x))
        return out
