"""Part 3: samples per second and MFU at the shapes of UniMixer's tables."""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from tests.gpu.kernel_profile import COLUMNS, profile_step
from tests.gpu.machine import Machine
from tests.gpu.peak_rates import (
    PRECISIONS,
    PeakRates,
    Precision,
    matmul_precision,
    measure_peak_rates,
)
from tests.gpu.report import Recorder, Table, one_line
from tests.gpu.time_limit import time_limit
from tests.gpu.timing import as_cuda_graph, measure
from tests.gpu.training_step import Shape, TrainingStep

from mixfront.models import count_cost, make_config
from mixfront.training.throughput import vendor_peak

Mode = Literal["eager", "CUDA graph", "compiled except Sinkhorn", "compiled"]
LARGE = {"num_tokens": 64, "token_dim": 256, "num_blocks": 2}
LITE = {**LARGE, "block_size": 4, "rank": 512, "num_bases": 8}
SHAPES = (  # the width of the tokenizer's chunks follows from the tables' parameter counts
    Shape("UniMixer, Table 3", "unimixer", {"num_tokens": 32, "token_dim": 128}, 52),
    Shape("UniMixer, Table 2", "unimixer", {**LARGE, "block_size": 4}, 17),
    Shape("UniMixer-Lite, Table 2", "unimixer_lite", LITE, 17),
    Shape("RankMixer, Table 2", "rankmixer", {**LARGE, "ffn_hidden": 2048}, 17),
    Shape("factored Lite, Table 2's shape", "unimixer_lite_factored", LITE, 17),
)
TINY = {"num_tokens": 4, "token_dim": 8, "num_blocks": 1}
SECONDS: dict[Mode, tuple[float, float]] = {  # needed to start a case, and its time limit
    "eager": (5, 30),
    "CUDA graph": (5, 30),
    "compiled except Sinkhorn": (30, 60),
    "compiled": (45, 90),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table."""

    shape: Shape
    precision: Precision
    mode: Mode


def run(machine: Machine, recorder: Recorder) -> None:
    """Measure as many cases as the time allows, the most important first."""
    peaks = measure_peak_rates(machine, recorder)
    rows = machine.pick(2048, 8)
    table = recorder.table(
        f"Training step at batch {rows:,}: forward, backward, fused AdamW on the dense part",
        *("model", "dense parameters, M", "precision", "mode", "ms", "spread", "samples/s"),
        *("TFLOP/s", "MFU of the measured bf16 GEMM", "MFU of the vendor's bf16 peak"),
        *("MFU of the measured GEMM in this precision", "peak memory, GB", "first step, s"),
        "graph breaks",
    )
    kernels = recorder.table("Kernels of a step, bf16, eager", *COLUMNS)
    for case in _cases(machine):
        name = f"{case.shape.name}, {case.precision}, {case.mode}"
        needed, limit = machine.pick(SECONDS[case.mode], (0, 600))
        if machine.seconds_left() < needed:
            recorder.note(f"Not measured for lack of time: {name}.")
            continue
        try:
            with time_limit(min(limit, machine.seconds_left())):
                _measure(case, rows, machine, peaks, recorder, (table, kernels))
        except Exception as error:
            recorder.require(f"{name} runs", False, one_line(error))
        _clean_up(machine)


def _cases(machine: Machine) -> Iterator[Case]:
    """Quick and important cases first: a compilation may take a minute."""
    shapes = machine.pick(SHAPES, _tiny())
    with_sinkhorn = tuple(shape for shape in shapes if shape.family != "rankmixer")
    without = tuple(shape for shape in shapes if shape.family == "rankmixer")
    for precision in PRECISIONS:
        yield from _all(shapes, precision, "eager")
    if machine.is_cuda:
        yield from _all(shapes, "bf16", "CUDA graph")
    for precision in machine.pick(PRECISIONS, PRECISIONS[:1]):
        yield from _all(without, precision, "compiled")
        yield from _all(with_sinkhorn, precision, "compiled except Sinkhorn")
        yield from _all(machine.pick(with_sinkhorn[:1], ()), precision, "compiled")


def _all(shapes: tuple[Shape, ...], precision: Precision, mode: Mode) -> Iterator[Case]:
    return (Case(shape=shape, precision=precision, mode=mode) for shape in shapes)


def _tiny() -> tuple[Shape, ...]:
    iters = {**TINY, "sinkhorn_iters": 2}
    return (Shape("UniMixer", "unimixer", iters, 4), Shape("RankMixer", "rankmixer", TINY, 4))


def _measure(
    case: Case,
    rows: int,
    machine: Machine,
    peaks: PeakRates,
    recorder: Recorder,
    tables: tuple[Table, Table],
) -> None:
    cost = count_cost(
        case.shape.family,
        make_config(case.shape.family, case.shape.keys),
        chunk_dim=case.shape.chunk_dim,
        batch_size=rows,
        checked=False,
    )
    _reset(machine)
    with matmul_precision(case.precision):
        step = TrainingStep(case.shape, case.precision, rows, machine)
        if case.mode.startswith("compiled"):
            backend = "inductor" if machine.is_cuda else "aot_eager"
            step.compile(backend, with_sinkhorn=case.mode == "compiled")
        started = time.perf_counter()
        step()
        machine.synchronize()
        first = time.perf_counter() - started
        breaks = len(torch._dynamo.utils.counters["graph_break"])
        time_per_step = measure(
            as_cuda_graph(step) if case.mode == "CUDA graph" else step, machine
        )
        if case.mode == "eager" and case.precision == "bf16":
            profile_step(step, case.shape.name, time_per_step.median, machine, recorder, tables[1])
    ms = time_per_step.median
    vendor = vendor_peak(machine.device_name())
    rate = cost.training_flops(rows) / (ms / 1e3)
    recorder.row(
        tables[0],
        *(case.shape.name, cost.dense_params / 1e6, case.precision, case.mode),
        *(ms, time_per_step.spread, rows / (ms / 1e3), rate / 1e12),
        *(rate / peaks.gemm["bf16"], rate / vendor if vendor else None),
        *(rate / peaks.gemm[case.precision], _peak_gb(machine), first),
        breaks if case.mode.startswith("compiled") else None,
    )


def _reset(machine: Machine) -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    if machine.is_cuda:
        torch.cuda.reset_peak_memory_stats()


def _peak_gb(machine: Machine) -> float:
    return torch.cuda.max_memory_allocated() / 1e9 if machine.is_cuda else 0.0


def _clean_up(machine: Machine) -> None:
    gc.collect()
    if machine.is_cuda:
        torch.cuda.empty_cache()
