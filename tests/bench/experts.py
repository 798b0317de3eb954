"""Training steps of TokenMixer-Large's sparse FFN, against the dense one of equal parameters.

Forward and backward on one thread. The router is as initialised, and rows are random.
"""

from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from tests.bench.clock import side_by_side
from tests.bench.mixing import forward_and_backward

from mixfront.models.families.tokenmixer_large.sparse_ffn import SparseSwiGluFFN
from mixfront.models.layers.per_token import SwiGluFFN

EXPERTS, ACTIVE = 8, 2
SHAPES = ((16, 64, 128, 2048), (16, 128, 512, 2048))  # T, D, h, N


def main() -> None:
    """Print times, FLOPs and padding."""
    torch.set_num_threads(1)
    columns = ("T", "D", "h", "batch", "dtype", "dense, ms", "sparse, ms", "times faster")
    table = Table(*columns, "times fewer FLOPs", "padding")
    for shape in SHAPES:
        for dtype in (torch.float32, torch.bfloat16):
            table.add_row(*_measure(*shape, dtype))
    Console(width=120).print(table)


def _measure(tokens: int, dim: int, hidden: int, rows: int, dtype: torch.dtype) -> tuple[str, ...]:
    torch.manual_seed(0)
    shape = (tokens, dim, hidden)
    dense = SwiGluFFN(*shape, bias=False)
    sparse = SparseSwiGluFFN(*shape, num_experts=EXPERTS, active=ACTIVE)
    x, grad = torch.randn(rows, tokens, dim, requires_grad=True), torch.randn(rows, tokens, dim)
    best = side_by_side(
        {
            "dense": partial(forward_and_backward, dense, x, grad, dtype),
            "sparse": partial(forward_and_backward, sparse, x, grad, dtype),
        },
        rounds=4,
    )
    fewer = SwiGluFFN.flops(*shape) / SparseSwiGluFFN.flops(*shape, EXPERTS, ACTIVE)
    return (
        *map(str, (*shape, rows)),
        str(dtype).removeprefix("torch."),
        *(f"{best[name] * 1e3:.0f}" for name in ("dense", "sparse")),
        f"{best['dense'] / best['sparse']:.2f}",
        f"{fewer:.1f}",
        f"{sparse.padded_share:.0%}",
    )
