"""The device's peak rates, measured in the same run: matrix products and copies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from tests.gpu.machine import Machine
from tests.gpu.report import Recorder
from tests.gpu.timing import measure

Precision = Literal["fp32", "tf32", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("bf16", "tf32", "fp32")


@dataclass(frozen=True, kw_only=True)
class PeakRates:
    """Measured peak rates of a device."""

    gemm: dict[Precision, float]  # FLOP/s
    copy: float  # bytes read and written per second


@contextmanager
def matmul_precision(precision: Precision) -> Iterator[None]:
    """Set whether fp32 matrix products use TF32; both forward and backward must run inside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def autocast(precision: Precision, device: str) -> torch.autocast:
    """The context of DeepSpeed's `torch_autocast` for a forward; it does nothing unless bf16."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16")


def measure_peak_rates(machine: Machine, recorder: Recorder) -> PeakRates:
    """Time square products of random matrices, and a copy that is larger than any cache."""
    size = machine.pick(8192, 64)
    table = recorder.table("Measured peak rates", "operation", "ms", "rate")
    gemm: dict[Precision, float] = {}
    for precision in PRECISIONS:
        ms = _product_ms(size, precision, machine)
        gemm[precision] = 2 * size**3 / (ms / 1e3)
        rate = f"{gemm[precision] / 1e12:.3g} TFLOP/s"
        recorder.row(table, f"{precision} product of {size} x {size} matrices", ms, rate)
    count = machine.pick(2**30, 2**12)
    source = torch.randn(count, device=machine.device)
    ms = measure(partial(torch.empty_like(source).copy_, source), machine).median
    copy = 2 * source.nbytes / (ms / 1e3)
    recorder.row(table, f"copy of {source.nbytes / 1e9:.1g} GB", ms, f"{copy / 1e12:.3g} TB/s")
    return PeakRates(gemm=gemm, copy=copy)


def _product_ms(size: int, precision: Precision, machine: Machine) -> float:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(size, size, device=machine.device).to(dtype) for _ in range(2))
    with matmul_precision(precision):
        return measure(partial(torch.mm, left, right, out=torch.empty_like(left)), machine).median
