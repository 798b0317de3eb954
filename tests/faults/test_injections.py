"""Rows get enough faults, and the summary has one line per row."""

import random

from tests.faults.injections import Faults, summary


def test_the_cost_of_a_run_is_shared_by_its_faults() -> None:
    faults = Faults("worker killed", 4, random.Random(0))
    faults.cost(20.0)
    assert faults.lost_s == [5.0] * 4


def test_the_summary_has_one_line_per_row() -> None:
    lines = summary(
        [
            ("worker killed", 2, [3.0, 5.0]),
            ("two promotions at once", 1, []),
            ("worker killed", 2, [4.0, 9.0]),
        ]
    )
    assert [line.split() for line in lines] == [
        ["worker", "killed", "4", "faults", "median", "5.0", "s,", "most", "9.0", "s"],
        ["two", "promotions", "at", "once", "1", "faults"],
    ]


def test_a_run_has_its_seed_and_a_row_its_faults(faults: Faults) -> None:
    faults.injected = faults.count
    assert faults.row == "a run has its seed and a row its faults"
