"""The block of the UniMixer families, with any mixing module."""

from torch import Tensor, nn

from mixfront.models._base import Block, StackContext
from mixfront.models.families.unimixer.config import SinkhornMixerConfig
from mixfront.models.layers.norms import Norm
from mixfront.models.layers.per_token import SwiGluFFN
from mixfront.models.mixing.unimixing import UniMixing


class UniMixerBlock(Block):
    """UniMixer(z) = FFN(Norm(z + Mix(z))); the stack adds the outer residual.

    Args:
        mixing: (N, T, D) -> (N, T, D).
        norm: Over D.
        ffn: (N, T, D) -> (N, T, D); pSwiGLU in the paper.
    """

    def __init__(self, mixing: nn.Module, norm: Norm, ffn: nn.Module) -> None:
        super().__init__()
        self.mixing = mixing
        self.norm = norm
        self.ffn = ffn

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        out: Tensor = self.ffn(self.norm(x + self.mixing(x)))
        return out


def unimixing_block(
    config: SinkhornMixerConfig, local: nn.Module, global_: nn.Module
) -> UniMixerBlock:
    """A block with UniMixing by these two patterns and a pSwiGLU."""
    ffn = SwiGluFFN(config.num_tokens, config.token_dim, config.hidden, dropout=config.dropout)
    mixing = UniMixing(local, global_, config.block_size, transpose=config.transpose)
    return UniMixerBlock(mixing, Norm(config.norm, config.token_dim), ffn)
