"""`make bench`: all benchmarks; each compares alternatives measured side by side in one run.

python -m tests.bench [NAME ...]
"""

import os
import sys
from collections.abc import Callable

import torch
from tests.bench import experts, lane_overhead, mixing, serving, sinkhorn, throughput
from tests.bench.scale import one_driver

from mixfront.lanes.memory import KEEP_FREED_MEMORY

BENCHMARKS: dict[str, Callable[[], None]] = {
    "experts": experts.main,
    "lane_overhead": lane_overhead.main,
    "mixing": mixing.main,
    "one_driver": one_driver.main,
    "serving": serving.main,
    "sinkhorn": sinkhorn.main,
    "throughput": throughput.main,
}


def main() -> None:
    """Run the named benchmarks, or all."""
    _set_up_like_a_worker()
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}; choose from {', '.join(BENCHMARKS)}")
    threads = torch.get_num_threads()
    for name in names:
        torch.set_num_threads(threads)  # some benchmarks set it to one
        print(f"\n== {name}", flush=True)
        BENCHMARKS[name]()


def _set_up_like_a_worker() -> None:
    """Apply the memory and denormal settings of a search's CPU workers."""
    if not KEEP_FREED_MEMORY.items() <= os.environ.items():  # glibc reads them at start-up
        command = [sys.executable, "-m", "tests.bench", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **KEEP_FREED_MEMORY})
    torch.set_flush_denormal(True)


if __name__ == "__main__":
    main()
