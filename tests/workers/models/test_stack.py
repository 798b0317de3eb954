"""Residual topologies against their formulas."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models import Block, StackContext, StackKind
from mixfront.models.stack import make_stack, stack_norm_params


class Scale(Block):
    """x -> s * x + layer; records the context of its last forward."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.context: tuple[int, int, int] | None = None

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        self.context = (context.layer, context.num_layers, len(context.history))
        return self.scale * x + context.layer


def rms(x: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()


X = torch.randn(3, 2, 8, generator=torch.Generator().manual_seed(0))


def context() -> StackContext:
    return StackContext(x0=X)


def test_chain() -> None:
    blocks = [Scale(2.0), Scale(3.0)]
    out = make_stack(blocks, StackKind(), 8)(X, context())
    torch.testing.assert_close(out, 3 * (2 * X) + 1)
    assert [block.context for block in blocks] == [(0, 2, 0), (1, 2, 1)]


def test_plain() -> None:
    out = make_stack([Scale(2.0), Scale(3.0)], StackKind(topology="plain"), 8)(X, context())
    first = rms(X + 2 * X)
    torch.testing.assert_close(out, rms(first + 3 * first + 1))


def test_plain_with_layer_norm() -> None:
    out = make_stack([Scale(2.0)], StackKind(topology="plain", norm="layer"), 8)(X, context())
    torch.testing.assert_close(out, F.layer_norm(X + 2 * X, (8,), eps=1e-6))


def test_siamese() -> None:
    out = make_stack([Scale(2.0), Scale(3.0)], StackKind(topology="siamese"), 8)(X, context())
    first = 2 * (X + rms(X))
    x, y = rms(X + first), X + first
    second = 3 * (x + rms(y)) + 1
    x, y = rms(x + second), y + second
    torch.testing.assert_close(out, x + rms(y))


def test_norms_are_counted() -> None:
    kinds = {
        StackKind(topology="chain"): 0,
        StackKind(topology="plain"): 3 * 8,
        StackKind(topology="siamese"): 7 * 8,
        StackKind(topology="siamese", norm="layer"): 7 * 16,
    }
    for kind, expected in kinds.items():
        stack = make_stack([Scale(1.0) for _ in range(3)], kind, 8)
        assert sum(p.numel() for p in stack.parameters()) - 3 == expected
        assert stack_norm_params(kind, 3, 8) == expected
