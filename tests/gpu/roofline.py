"""Part 4: Sinkhorn and UniMixing's products compared with the roofline.

The roofline time is the larger of two times: FLOPs at the measured rate of matrix products, and
the minimum memory traffic (each input read once, each output written once) at the measured rate
of a copy. It is a lower bound for any implementation.
"""

from dataclasses import dataclass
from functools import partial

import torch
from tests.bench import mixing as bench_mixing
from tests.bench import sinkhorn as bench_sinkhorn
from tests.gpu.machine import Machine
from tests.gpu.peak_rates import PeakRates, Precision, matmul_precision, measure_peak_rates
from tests.gpu.report import Recorder, Table, one_line
from tests.gpu.timing import Run, as_cuda_graph, measure
from torch import Tensor, nn

from mixfront.models.mixing.sinkhorn import sinkhorn
from mixfront.models.mixing.unimixing import UniMixing

B = bench_mixing.BLOCK
MIXING_SHAPES = ((32, 128, 2048, 128), (64, 256, 2048, 512))  # T, D, N, rank
TINY = ((4, 8, 6, 4),)
SINKHORN_SHAPES: tuple[tuple[int, ...], ...] = (
    (1024, 1024),
    (1024, B, B),
    (4096, 4096),
    (4096, B, B),
)
STD, TAU = 0.1, 1.0  # Sinkhorn's duration does not depend on the values


@dataclass(frozen=True, kw_only=True)
class Work:
    """FLOPs and minimum memory traffic of forward and backward."""

    flops: float
    num_bytes: float

    def roofline_ms(self, precision: Precision, peaks: PeakRates) -> float:
        """The larger of the two times, in ms."""
        arithmetic = self.flops / peaks.gemm[precision]
        return 1e3 * max(arithmetic, self.num_bytes / peaks.copy)


def run(machine: Machine, recorder: Recorder) -> None:
    """Time Sinkhorn in fp32, then the mixings in all precisions."""
    peaks = measure_peak_rates(machine, recorder)
    _sinkhorns(machine, peaks, recorder)
    table = recorder.table(
        "Mixing, forward and backward, B = 4",
        *("n", "batch", "precision", "mixing", "ms", "CUDA graph, ms", "roofline, ms"),
        *("multiple of the roofline time", "share of the GEMM rate"),
    )
    for shape in machine.pick(MIXING_SHAPES, TINY):
        for precision in machine.pick(("bf16", "tf32", "fp32"), ("bf16",)):
            if machine.seconds_left() < machine.pick(6, 0):
                recorder.note(f"Not measured for lack of time: {shape} in {precision}.")
                continue
            with matmul_precision(precision):
                _mixings(shape, precision, machine, peaks, recorder, table)


def _sinkhorns(machine: Machine, peaks: PeakRates, recorder: Recorder) -> None:
    iters = bench_sinkhorn.ITERATIONS
    table = recorder.table(
        f"Sinkhorn, {iters} iterations, forward and backward, fp32",
        *("shape", "ms", "CUDA graph, ms", "roofline, ms", "roofline without a cache, ms"),
        *("multiple of the latter", "log-domain loop, ms"),
    )
    for shape in machine.pick(SINKHORN_SHAPES, ((8, 8), (8, B, B))):
        logits = torch.randn(shape, device=machine.device) * STD
        ours, loop = (
            partial(bench_sinkhorn.forward_and_backward, function, logits, TAU)
            for function in (sinkhorn, bench_sinkhorn.log_domain_loop)
        )
        # Forward reads the logits and writes the matrix. Backward reads the logits and the
        # matrix's gradient, and writes theirs. Without a cache, forward and backward also read K
        # twice per iteration.
        cached = 5 * logits.nbytes / peaks.copy * 1e3
        uncached = (5 + 4 * iters) * logits.nbytes / peaks.copy * 1e3
        eager, graph = _milliseconds(ours, machine), _in_graph(ours, machine, recorder)
        multiple = (graph or eager) / uncached
        loop_ms = _milliseconds(loop, machine)
        name = " x ".join(map(str, shape))
        recorder.row(table, name, eager, graph, cached, uncached, multiple, loop_ms)


def _mixings(
    shape: tuple[int, int, int, int],
    precision: Precision,
    machine: Machine,
    peaks: PeakRates,
    recorder: Recorder,
    table: Table,
) -> None:
    tokens, dim, rows, rank = shape
    n = tokens * dim // B
    with torch.device(machine.device):
        runs = _runs(n, rows, rank, (tokens, dim), precision)
    for name, (run, work) in runs.items():
        eager, graph = _milliseconds(run, machine), _in_graph(run, machine, recorder)
        roofline = work.roofline_ms(precision, peaks)
        best = graph or eager
        share = work.flops / (best / 1e3) / peaks.gemm[precision]
        cells = (n, rows, precision, name, eager, graph, roofline, best / roofline, share)
        recorder.row(table, *cells)


def _runs(
    n: int, rows: int, rank: int, token_shape: tuple[int, int], precision: Precision
) -> dict[str, tuple[Run, Work]]:
    """Every mixing as a whole, and each of the two products of UniMixing alone."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    x = torch.randn(rows, *token_shape, requires_grad=True)
    grad = torch.randn(rows, *token_shape)
    runs: dict[str, tuple[Run, Work]] = {}
    for name, module in bench_mixing.mixings(n, rank).items():
        work = _whole(n, rows, rank if "factored" in name else None, dtype)
        run = partial(bench_mixing.forward_and_backward, module, x, grad, dtype)
        runs[name] = (run, work)
        if isinstance(module, UniMixing) and name == "unimixer, products":
            runs["local product alone"] = _alone(module.local_pattern, n, rows, dtype)
            runs["global product alone"] = _alone(module.global_pattern, n, rows, dtype)
    return runs


def _alone(pattern: nn.Module, n: int, rows: int, dtype: torch.dtype) -> tuple[Run, Work]:
    """One product, on blocks in UniMixing's memory layout (n, B, N)."""

    def blocks() -> Tensor:
        return torch.randn(n, B, rows).to(dtype).mT

    x, grad = blocks().requires_grad_(), blocks()
    (weight,) = pattern.parameters()  # (n, n), or (n, B, B)
    madds = rows * weight.numel() * (B if weight.ndim == 2 else 1)
    num_bytes = (5 * x.numel() + 4 * weight.numel()) * dtype.itemsize
    run: Run = partial(bench_mixing.forward_and_backward, pattern, x, grad, dtype)
    return run, Work(flops=6 * madds, num_bytes=num_bytes)


def _whole(n: int, rows: int, rank: int | None, dtype: torch.dtype) -> Work:
    """Work of a mixing without its Sinkhorn.

    FLOPs per sample in forward: 2 (n^2 B + n B^2), or 2 (2 n r B + n B^2) if factored.
    """
    mixed = n * n if rank is None else 2 * n * rank
    madds = rows * (mixed * B + n * B * B)
    return Work(flops=6 * madds, num_bytes=(5 * rows * n * B + 4 * mixed) * dtype.itemsize)


def _milliseconds(run: Run, machine: Machine) -> float:
    return measure(run, machine, seconds=0.05).median


def _in_graph(run: Run, machine: Machine, recorder: Recorder) -> float | None:
    """Milliseconds as a CUDA graph; None on a CPU, or if the run cannot be captured."""
    if not machine.is_cuda:
        return None
    try:
        return _milliseconds(as_cuda_graph(run), machine)
    except RuntimeError as error:
        recorder.require("every run can be captured in a CUDA graph", False, one_line(error))
        return None
