"""The block of UniMixer and its relatives, whatever the patterns of their mixing."""

from torch import Tensor, nn

from mixfront.models._base import Block, StackContext
from mixfront.models.mixing.unimixing import UniMixing
from mixfront.models.norms import Norm
from mixfront.models.per_token import SwiGluFFN
from mixfront.models.sinkhorn_config import SinkhornMixerConfig


class UniMixerBlock(Block):
    """UniMixer(z) = pSwiGLU(Norm(z + UniMixing(z))); the outer residual is the stack's."""

    def __init__(self, config: SinkhornMixerConfig, local: nn.Module, global_: nn.Module) -> None:
        super().__init__()
        self.mixing = UniMixing(local, global_, config.block_size)
        self.norm = Norm(config.norm, config.token_dim)
        self.ffn = SwiGluFFN(
            config.num_tokens, config.token_dim, config.hidden, dropout=config.dropout
        )

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        out: Tensor = self.ffn(self.norm(x + self.mixing(x)))
        return out
