"""How many lanes one driver keeps busy, with real records, study, scheduler and MLflow.

python -m tests.bench.scale.one_driver [--cpu] [TRIALS [LANES ...]]

With --cpu the driver's clock is its thread's CPU time, for a machine that runs other programs too.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.bench.scale.simulated_search import Measurement, SimulatedSearch

LANES = (10, 100)
TRIALS = 300


def main(
    trials: int = TRIALS,
    lanes: tuple[int, ...] = LANES,
    seconds: Callable[[], float] = time.perf_counter,
) -> None:
    """Run one search per number of lanes, resume each, and print what the driver took."""
    table = Table(title="trials of 60 simulated s")
    for column in (
        *("lanes", "trials", "busy", "overall", "ms per trial"),
        *("CPU ms with MLflow", "drain s", "resume s", "GiB"),
    ):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for num_lanes in lanes:
            search = SimulatedSearch(Path(folder), trials, seconds=seconds)
            first = search.measure(num_lanes)
            resumed = search.measure(num_lanes, ("search.trials=+1",))
            _add(table, first, resumed)
            Console(width=120).print(table)


def _add(table: Table, run: Measurement, resumed: Measurement) -> None:
    per_trial = {call: 1000 * seconds / run.trials for call, seconds in run.driver_s.items()}
    parts = ", ".join(f"{call} {ms:.1f}" for call, ms in per_trial.items())
    table.add_row(
        f"{run.num_lanes:,}",
        f"{run.trials:,}",
        f"{run.busy:.1%}",
        f"{run.overall:.1%}",
        f"{sum(per_trial.values()):.1f} ({parts})",
        f"{1000 * run.cpu_s / run.trials:.0f}",
        f"{run.drain_s:.0f}",
        f"{resumed.resume_s:.1f}",
        f"{run.memory_gib:.2f}",
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    clock = time.thread_time if "--cpu" in words else time.perf_counter
    numbers = [int(word) for word in words if word != "--cpu"]
    main(numbers[0] if numbers else TRIALS, tuple(numbers[1:]) or LANES, clock)
