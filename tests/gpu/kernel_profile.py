"""The kernels in which a step spends its time, from torch's profiler."""

from typing import Any

from tests.gpu.machine import Machine
from tests.gpu.report import Recorder, Table
from tests.gpu.timing import Run
from torch.profiler import ProfilerActivity, profile

STEPS = 3
SHOWN = 8  # kernels
WIDTH = 70  # characters of a kernel's name
COLUMNS = ("model", "kernel", "calls per step", "ms per step", "share")


def profile_step(
    run: Run, model: str, step_ms: float, machine: Machine, recorder: Recorder, table: Table
) -> None:
    """Add the slowest kernels to a table, and the sum of all kernels as a share of the step.

    Args:
        run: One step.
        model: The model's name.
        step_ms: Duration of a step without the profiler.
        machine: Where it runs.
        recorder: Adds the rows.
        table: A table with `COLUMNS`.
    """
    activity = ProfilerActivity.CUDA if machine.is_cuda else ProfilerActivity.CPU
    with profile(activities=[activity]) as profiler:
        for _ in range(STEPS):
            run()
        machine.synchronize()
    kernels = [
        (str(event.key), event.count / STEPS, _own_microseconds(event, machine) / 1e3 / STEPS)
        for event in profiler.key_averages()
        if not event.is_user_annotation  # its time is that of kernels in the same list
    ]
    kernels = sorted((kernel for kernel in kernels if kernel[2] > 0), key=lambda k: -k[2])
    total = sum(ms for _, _, ms in kernels)
    for name, calls, ms in kernels[:SHOWN]:
        recorder.row(table, model, name[:WIDTH], calls, ms, ms / total)
    calls = sum(calls for _, calls, _ in kernels)
    recorder.row(table, model, "all kernels, share of the step", calls, total, total / step_ms)


def _own_microseconds(event: Any, machine: Machine) -> float:
    return float(event.self_device_time_total if machine.is_cuda else event.self_cpu_time_total)
