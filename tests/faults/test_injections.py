"""Rows get enough faults, and the summary has one line per row."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
from tests.faults import injections
from tests.faults.injections import Faults, runs_of, summary


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


@pytest.mark.parametrize(
    ("per_row", "runs"), [(1, [(0, 1)]), (3, [(0, 3)]), (10, [(0, 4), (1, 4), (2, 4)])]
)
def test_a_row_gets_at_least_as_many_faults_as_asked_for(
    monkeypatch: pytest.MonkeyPatch, per_row: int, runs: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr(injections, "PER_ROW", per_row)
    monkeypatch.setattr(injections, "SEED", 0)
    mark = pytest.mark.faults(per_run=4).mark
    row: Any = SimpleNamespace(definition=SimpleNamespace(get_closest_marker=lambda _: mark))
    assert runs_of(row) == runs
