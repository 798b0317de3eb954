"""Forward and backward of mixings on one thread, as shares of the GEMM rate in the same run.

The GEMM rate is that of the largest product in the mixing, (n x n) @ (n x N B), in the same dtype.
FLOPs are the closed forms: 2 (n^2 B + n B^2) per sample forward, three times that with backward.
Rows named "products" leave out Sinkhorn, which runs once per step; the other modules include it.
"""

from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from tests.bench.clock import side_by_side
from torch import Tensor, nn

from mixfront.models.mixing.factored_global import FactoredGlobal
from mixfront.models.mixing.global_patterns import FullGlobal, LowRankGlobal
from mixfront.models.mixing.local_patterns import BasisLocal, FullLocal
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions
from mixfront.models.mixing.unimixing import UniMixing

BLOCK = 4
SHAPES = ((32, 128, 2048, 128), (64, 256, 256, 512))  # T, D, N, rank
STD = 0.1
OPTIONS = SinkhornOptions(symmetric=False)


class _PlainLocal(FullLocal):
    """Local matrices without Sinkhorn: the weight is used as it is."""

    def matrix(self) -> Tensor:
        return self.weight


class _PlainGlobal(FullGlobal):
    """Global matrix without Sinkhorn: the weight is used as it is."""

    def matrix(self) -> Tensor:
        return self.weight


class _Einsum(nn.Module):
    """The products as einsums, as the paper writes them."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.local = nn.Parameter(torch.rand(blocks, BLOCK, BLOCK) / BLOCK)
        self.mix = nn.Parameter(torch.rand(blocks, blocks) / blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        blocks = x.reshape(len(x), -1, BLOCK)
        local = torch.einsum("nib,ibc->nic", blocks, self.local)
        return torch.einsum("ij,njc->nic", self.mix, local).reshape(x.shape)


def main() -> None:
    """Print times and shares of the GEMM rate."""
    torch.set_num_threads(1)
    console = Console(width=120)
    for tokens, dim, rows, rank in SHAPES:
        for dtype in (torch.float32, torch.bfloat16):
            console.print(_measure(tokens, dim, rows, rank, dtype))


def _measure(tokens: int, dim: int, rows: int, rank: int, dtype: torch.dtype) -> Table:
    n = tokens * dim // BLOCK
    modules = mixings(n, rank)
    x = torch.randn(rows, tokens, dim, requires_grad=True)
    grad = torch.randn(rows, tokens, dim)
    runs: dict[str, Callable[[], object]] = {"GEMM": _gemm(n, rows, dtype)}
    runs |= {name: partial(forward_and_backward, m, x, grad, dtype) for name, m in modules.items()}
    best = side_by_side(runs, rounds=4)
    local = n * BLOCK**2
    dense = 6 * rows * (n * n * BLOCK + local)
    factored = 6 * rows * (2 * n * rank * BLOCK + local)
    rate = 2 * n * n * rows * BLOCK / best["GEMM"]
    title = f"n = {n}, B = {BLOCK}, batch {rows}, {dtype}: GEMM {rate / 1e9:.0f} GFLOP/s"
    table = Table("mixing", "ms", "GFLOP", "share of the GEMM rate", title=title)
    for name in modules:
        flops = factored if "factored" in name else dense
        share = flops / best[name] / rate
        table.add_row(name, f"{best[name] * 1e3:.0f}", f"{flops / 1e9:.1f}", f"{share:.2f}")
    faster = best["unimixer_lite"] / best["unimixer_lite_factored"]
    table.caption = (
        f"factored Lite: {dense / factored:.1f} times fewer FLOPs, {faster:.1f} times faster"
    )
    return table


def mixings(n: int, rank: int) -> dict[str, nn.Module]:
    """The mixings to compare, on torch's default device; n blocks of width `BLOCK`."""
    basis_local = partial(BasisLocal, n, BLOCK, 2, std=STD, options=OPTIONS)
    plain_local = _PlainLocal(n, BLOCK, std=STD, options=OPTIONS)
    patterns: dict[str, tuple[nn.Module, nn.Module]] = {
        "unimixer, products": (plain_local, _PlainGlobal(n, std=STD, options=OPTIONS)),
        "unimixer": (
            FullLocal(n, BLOCK, std=STD, options=OPTIONS),
            FullGlobal(n, std=STD, options=OPTIONS),
        ),
        "unimixer_lite": (basis_local(), LowRankGlobal(n, rank, std=STD, options=OPTIONS)),
        "unimixer_lite_factored": (
            basis_local(),
            FactoredGlobal(n, rank, std=STD, options=OPTIONS),
        ),
    }
    plain = patterns["unimixer, products"]
    modules: dict[str, nn.Module] = {
        "einsum as written, products": _Einsum(n),
        "transposed input, products": UniMixing(*plain, BLOCK, transpose=True),
    }
    return modules | {name: UniMixing(*pair, BLOCK) for name, pair in patterns.items()}


def _gemm(n: int, rows: int, dtype: torch.dtype) -> Callable[[], Tensor]:
    left, right = torch.randn(n, n, dtype=dtype), torch.randn(n, rows * BLOCK, dtype=dtype)
    return partial(torch.mm, left, right, out=torch.empty_like(right))


def forward_and_backward(module: nn.Module, x: Tensor, grad: Tensor, dtype: torch.dtype) -> None:
    """Gradients of the input and of all parameters, on the input's device."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        out = module(x)
    torch.autograd.grad(out, (x, *module.parameters()), grad.to(out.dtype))


if __name__ == "__main__":
    main()
