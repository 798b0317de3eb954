"""`make bench`: every benchmark, each a ratio of two things measured side by side in one run.

python -m tests.bench [NAME ...]
"""

import os
import sys
from collections.abc import Callable

from tests.bench import lane_overhead, mixing, sinkhorn, throughput

BENCHMARKS: dict[str, Callable[[], None]] = {
    "lane_overhead": lane_overhead.main,
    "mixing": mixing.main,
    "sinkhorn": sinkhorn.main,
    "throughput": throughput.main,
}


def main() -> None:
    """Run the named benchmarks, or all."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as in the workers of a search
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}: known are {', '.join(BENCHMARKS)}")
    for name in names:
        print(f"\n== {name}", flush=True)
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
