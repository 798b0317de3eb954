"""Our Sinkhorn against a log-domain loop over logsumexp, in CPU milliseconds on one thread."""

from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from tests.bench.clock import side_by_side
from torch import Tensor

from mixfront.models.mixing.sinkhorn import sinkhorn

ITERATIONS = 20
SHAPES = ((1024, 1024), (256, 256), (1024, 4, 4))
STARTS = ((0.1, 1.0), (1.0, 0.05))  # standard deviation of the logits, tau

Normalise = Callable[[Tensor, float, int], Tensor]


def main() -> None:
    """Print the times of both: forward only, and forward with backward."""
    torch.set_num_threads(1)
    table = Table("shape", "std", "tau", "pass", "ours, ms", "loop, ms", "times faster")
    for shape in SHAPES:
        for std, tau in STARTS:
            for name, run in (("forward", _forward), ("forward + backward", forward_and_backward)):
                logits = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * std
                runs = {
                    kind: partial(run, function, logits, tau)
                    for kind, function in (("ours", sinkhorn), ("loop", log_domain_loop))
                }
                best = side_by_side(runs)
                ours, loop = best["ours"], best["loop"]
                cells = (*(f"{s * 1e3:.2f}" for s in (ours, loop)), f"{loop / ours:.1f}")
                table.add_row("x".join(map(str, shape)), f"{std}", f"{tau}", name, *cells)
    Console(width=120).print(table)


def log_domain_loop(logits: Tensor, tau: float, num_iters: int) -> Tensor:
    """The numerically stable textbook algorithm."""
    log = logits / tau
    for _ in range(num_iters):
        log = log - log.logsumexp(-1, keepdim=True)
        log = log - log.logsumexp(-2, keepdim=True)
    return log.exp()


def _forward(function: Normalise, logits: Tensor, tau: float) -> None:
    with torch.no_grad():
        function(logits, tau, ITERATIONS)


def forward_and_backward(function: Normalise, logits: Tensor, tau: float) -> None:
    """Gradient of the logits, which also serve as the gradient of the matrix."""
    leaf = logits.detach().requires_grad_()
    torch.autograd.grad(function(leaf, tau, ITERATIONS), leaf, logits)


if __name__ == "__main__":
    main()
