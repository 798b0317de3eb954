"""Stacks of blocks, which add the residual topology around them.

chain    x = block(x): blocks have their own residuals
plain    X' = Norm(X + block(X)), UniMixer's post-norm ablation
siamese  SiameseNorm (arXiv 2602.08064) as UniMixer uses it (arXiv 2604.00590): two streams;
         Xbar is normalised after every block, Ybar never:
         O = block(Xbar + Norm(Ybar));  Xbar' = Norm(Xbar + O);  Ybar' = Ybar + O;
         out = Xbar_M + Norm(Ybar_M)
"""

from collections.abc import Sequence

from torch import Tensor, nn

from mixfront.models._base import Block, StackContext, StackKind
from mixfront.models.layers.norms import Norm, norm_params


class Chain(nn.Module):
    """Blocks in sequence; the stack itself adds no residuals."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        context.num_layers = len(self.blocks)
        for layer, block in enumerate(self.blocks):
            context.layer = layer
            x = block(x, context)
            context.history.append(x)
        return x


class PlainStack(nn.Module):
    """A post-norm residual around every block."""

    def __init__(self, blocks: Sequence[Block], kind: StackKind, dim: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norms = nn.ModuleList(Norm(kind.norm, dim) for _ in blocks)

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        context.num_layers = len(self.blocks)
        for layer, block in enumerate(self.blocks):
            context.layer = layer
            x = self.norms[layer](x + block(x, context))
            context.history.append(x)
        return x


class SiameseStack(nn.Module):
    """A normalised and a raw stream, added before every block and at the end.

    The paper prints Ybar = Norm(Ybar); here Ybar stays raw and the block reads a normalised copy.
    """

    def __init__(self, blocks: Sequence[Block], kind: StackKind, dim: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norms_x = nn.ModuleList(Norm(kind.norm, dim) for _ in blocks)
        self.norms_y = nn.ModuleList(Norm(kind.norm, dim) for _ in blocks)
        self.final_norm = Norm(kind.norm, dim)

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        context.num_layers = len(self.blocks)
        y = x
        for layer, block in enumerate(self.blocks):
            context.layer = layer
            out = block(x + self.norms_y[layer](y), context)
            x = self.norms_x[layer](x + out)
            y = y + out
            context.history.append(x)
        result: Tensor = x + self.final_norm(y)
        return result


def make_stack(blocks: Sequence[Block], kind: StackKind, dim: int) -> nn.Module:
    """The stack of this kind around blocks of token width `dim`."""
    if kind.topology == "chain":
        return Chain(blocks)
    if kind.topology == "plain":
        return PlainStack(blocks, kind, dim)
    return SiameseStack(blocks, kind, dim)


def stack_norm_params(kind: StackKind, num_blocks: int, dim: int) -> int:
    """Parameters of the stack's own norms: none, M norms, or 2M + 1 norms."""
    norms = {"chain": 0, "plain": num_blocks, "siamese": 2 * num_blocks + 1}[kind.topology]
    return norms * norm_params(kind.norm, dim)
