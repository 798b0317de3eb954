"""TokenMixer-Large's sparse FFN against the dense one of equal parameters, on one thread.

Training steps (forward and backward) of large batches, and forwards of small ones, as in serving.
The router is as initialised, and rows are random. The floor is a dense FFN with the hidden units
of the selected experts alone: the same products without a router and without moving rows.
"""

from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from tests.bench.clock import side_by_side
from tests.bench.mixing import forward_and_backward
from torch import Tensor, nn

from mixfront.models.families.tokenmixer_large.sparse_ffn import SparseSwiGluFFN
from mixfront.models.layers.per_token import SwiGluFFN

EXPERTS, ACTIVE = 8, 2
SHAPES = ((16, 64, 128), (16, 128, 512))  # T, D, h
TRAINED, SERVED = 2048, (1, 64, 256, 512, 1024)  # rows


def main() -> None:
    """Print times, FLOPs and padding."""
    torch.set_num_threads(1)
    columns = ("T", "D", "h", "dtype", "dense, ms", "sparse, ms", "times faster", "floor, ms")
    table = Table(*columns, "padding", title=f"training steps of {TRAINED:,} rows")
    for shape in SHAPES:
        for dtype in (torch.float32, torch.bfloat16):
            table.add_row(*_step(*shape, dtype))
    served = Table("T", "D", "h", "rows", "dense, ms", "sparse, ms", title="forwards in fp32")
    for shape in SHAPES:
        for rows in SERVED:
            served.add_row(*_forward(*shape, rows))
    console = Console(width=120)
    console.print(table)
    console.print(served)


def _step(tokens: int, dim: int, hidden: int, dtype: torch.dtype) -> tuple[str, ...]:
    modules, x = _modules(tokens, dim, hidden), _rows(TRAINED, tokens, dim).requires_grad_()
    grad = _rows(TRAINED, tokens, dim)
    runs = {
        name: partial(forward_and_backward, module, x, grad, dtype)
        for name, module in modules.items()
    }
    best = side_by_side(runs, rounds=8)
    return (
        *map(str, (tokens, dim, hidden)),
        str(dtype).removeprefix("torch."),
        *(f"{best[name] * 1e3:.0f}" for name in ("dense", "sparse")),
        f"{best['dense'] / best['sparse']:.2f}",
        f"{best['floor'] * 1e3:.0f}",
        f"{modules['sparse'].padded_share:.0%}",
    )


def _forward(tokens: int, dim: int, hidden: int, rows: int) -> tuple[str, ...]:
    modules, x = _modules(tokens, dim, hidden), _rows(rows, tokens, dim)
    runs = {name: partial(modules[name], x) for name in ("dense", "sparse")}
    with torch.no_grad():
        best = side_by_side(runs, rounds=20)
    return (*map(str, (tokens, dim, hidden, rows)), *(f"{best[n] * 1e3:.2f}" for n in runs))


def _modules(tokens: int, dim: int, hidden: int) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "dense": SwiGluFFN(tokens, dim, hidden, bias=False),
        "sparse": SparseSwiGluFFN(tokens, dim, hidden, num_experts=EXPERTS, active=ACTIVE),
        "floor": SwiGluFFN(tokens, dim, hidden * ACTIVE // EXPERTS, bias=False),
    }


def _rows(rows: int, tokens: int, dim: int) -> Tensor:
    return torch.randn(rows, tokens, dim)


if __name__ == "__main__":
    main()
