"""Times work on a device: warm-up, CUDA events, and the median of several windows."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from tests.gpu.machine import Machine

Run = Callable[[], object]
WARM_UP = 3
MAX_RUNS = 1000  # per window


@dataclass(frozen=True, kw_only=True)
class Milliseconds:
    """Time per run, over several windows of runs."""

    median: float
    lowest: float
    highest: float

    @property
    def spread(self) -> float:
        """Difference between the slowest and the fastest window, as a share of the median."""
        return (self.highest - self.lowest) / self.median


def measure(
    run: Run, machine: Machine, *, windows: int = 5, seconds: float = 0.15
) -> Milliseconds:
    """Time a function that need not wait for the device.

    Args:
        run: The function to time.
        machine: Where it runs: CUDA events time a GPU, wall time a CPU.
        windows: Number of windows; each gives the mean of its runs.
        seconds: Approximate length of a window.
    """
    windows, seconds = machine.pick((windows, seconds), (2, 0.0))
    for _ in range(WARM_UP):
        run()
    once = _window(run, 1, machine)
    runs = max(1, min(MAX_RUNS, int(1e3 * seconds / once)))
    times = [_window(run, runs, machine) for _ in range(windows)]
    return Milliseconds(median=statistics.median(times), lowest=min(times), highest=max(times))


def _window(run: Run, runs: int, machine: Machine) -> float:
    machine.synchronize()
    if not machine.is_cuda:
        started = time.perf_counter()
        for _ in range(runs):
            run()
        return 1e3 * (time.perf_counter() - started) / runs
    first, last = _event(), _event()
    first.record()
    for _ in range(runs):
        run()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) / runs


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's


def as_cuda_graph(run: Run) -> Run:
    """The same work as one CUDA graph, which launches all kernels at once.

    Raises:
        RuntimeError: If the work cannot be captured, for example because it waits for the device.
    """
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay
