"""Memory that a worker still holds after a trial: its own host memory, and device memory."""

import ctypes
import gc
import sys
from dataclasses import dataclass
from pathlib import Path

# glibc reads these when a process starts: a single heap that keeps what is freed. By default
# every activation is fresh memory, and its page faults take longer than the operation that writes
# it. `measure` returns freed heap to the system between trials.
KEEP_FREED_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}

_STATUS = Path("/proc/self/status")
_MB = 2**20


@dataclass(frozen=True, kw_only=True)
class MemoryUsage:
    """Memory in MiB. Mapped files (the encoded data) do not count."""

    host_mb: float
    gpu_mb: float


def measure() -> MemoryUsage:
    """Collect garbage, return freed memory to the system, and measure what is left."""
    import torch  # here, because processes that start workers import this module

    gc.collect()
    gpu_mb = 0.0
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        gpu_mb = torch.cuda.memory_allocated() / _MB
    if sys.platform == "linux":
        _trim()
    return MemoryUsage(host_mb=_host_mb(), gpu_mb=gpu_mb)


def excess(
    now: MemoryUsage, baseline: MemoryUsage, host_margin_mb: float, gpu_margin_mb: float
) -> str | None:
    """Why usage is too high to train another trial, or None if it is not."""
    if now.gpu_mb > baseline.gpu_mb + gpu_margin_mb:
        return (
            f"{now.gpu_mb:.0f} MiB of device memory are still held after teardown, "
            f"{baseline.gpu_mb:.0f} MiB are normal"
        )
    if now.host_mb > baseline.host_mb + host_margin_mb:
        return (
            f"{now.host_mb:.0f} MiB of host memory are still held after teardown, "
            f"{baseline.host_mb:.0f} MiB are normal"
        )
    return None


def _host_mb() -> float:
    """Anonymous resident memory; 0 on systems without /proc."""
    if not _STATUS.exists():
        return 0.0
    for line in _STATUS.read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _trim() -> None:
    """Have glibc return freed heap, so that RssAnon shows only what is still in use."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
