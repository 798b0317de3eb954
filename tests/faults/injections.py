"""How many faults a run injects, at which random moments, and what they cost.

A row is one test function with the argument `faults`: one kind of fault. `make faults` injects at
least FAULTS_PER_ROW faults of each kind; the other targets inject one. A run that fails is
repeated with FAULTS_SEED set to the seed in its name.
"""

import math
import os
import random
from dataclasses import dataclass, field

import pytest

PER_ROW = int(os.environ.get("FAULTS_PER_ROW", "1"))
SEED = int(os.environ.get("FAULTS_SEED", "0"))
COST = "fault cost"  # name of a report's property: (row, faults, seconds lost)


@dataclass
class Faults:
    """The faults of one run of a row.

    Attributes:
        row: The kind of fault.
        count: Number of faults to inject in this run.
        random: Chooses moments and victims.
        lost_s: Wall time that each fault cost, where that could be measured.
    """

    row: str
    count: int
    random: random.Random
    injected: int = 0
    lost_s: list[float] = field(default_factory=list)

    def cost(self, seconds: float) -> None:
        """Note the wall time that all faults of this run cost, compared with a run without."""
        self.lost_s += [seconds / self.count] * self.count


def runs_of(function: pytest.Metafunc) -> list[tuple[int, int]]:
    """Seed and number of faults of every run of a row.

    `@pytest.mark.faults(per_run=4)` injects up to four faults in one search, as searches take
    longer than faults.
    """
    mark = function.definition.get_closest_marker("faults")
    per_run = min(PER_ROW, mark.kwargs["per_run"] if mark else 1)
    return [(SEED + number, per_run) for number in range(math.ceil(PER_ROW / per_run))]


def summary(costs: list[tuple[str, int, list[float]]]) -> list[str]:
    """One line per row: its faults, and the median and the longest time that one cost."""
    lines = []
    for row in dict.fromkeys(row for row, _, _ in costs):
        own = [(count, lost) for name, count, lost in costs if name == row]
        seconds = sorted(second for _, lost in own for second in lost)
        cost = ""
        if seconds:
            cost = f"median {seconds[len(seconds) // 2]:6.1f} s, most {seconds[-1]:6.1f} s"
        injected = sum(count for count, _ in own)
        lines.append(f"{row:34} {injected:4} faults  {cost}".rstrip())
    return lines
