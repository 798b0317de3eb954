"""The interactive page."""

import re
from typing import Any

import pytest

from mixfront.pareto import front_page
from mixfront.pareto.front import front_of
from mixfront.pareto.page import _badges
from mixfront.records import SearchRecord, TrialRecord
from mixfront.spec.objectives import Objective


def body_of(page: str) -> str:
    """The page without plotly's script."""
    return page[page.index("<body>") :]


def test_the_page_works_offline(search: SearchRecord, trials: list[TrialRecord]) -> None:
    page = front_page(search, trials)
    assert len(page) > 3_000_000  # includes plotly
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)


def test_the_page_shows_the_front_and_the_number_of_trials(
    search: SearchRecord, trials: list[TrialRecord]
) -> None:
    body = body_of(front_page(search, trials))
    assert "<b>4</b><span>on the front</span>" in body
    assert "<b>6</b><span>complete</span>" in body
    assert "<b>2</b><span>infeasible</span>" in body
    assert "interrupted" not in body
    rows = re.findall(r"<tr><td>(\d+)</td>", body)
    assert rows == ["4", "7", "2", "1"]
    assert "reference point of the hypervolume: AUC 0.5, log10 of Training FLOPs 12" in body


@pytest.mark.parametrize("num_objectives", [1, 2, 3, 4])
def test_the_page_supports_any_number_of_objectives(
    search: SearchRecord, make_trial: Any, num_objectives: int
) -> None:
    metrics = ["auc", "flops", "params", "logloss"][:num_objectives]
    search.objectives = [
        Objective(metric=m, direction="max" if m == "auc" else "min") for m in metrics
    ]
    search.reference_point = [0.5, 12.0, 9.0, 0.7][:num_objectives]
    values = {"auc": 0.7, "flops": 1e9, "params": 1e6, "logloss": 0.5}
    trials = [make_trial(n, **{m: values[m] * (1 + n / 10) for m in metrics}) for n in range(5)]
    body = body_of(front_page(search, trials))
    assert len(set(re.findall(r'id="(chart-\d)"', body))) == max(2, num_objectives)


def test_the_page_of_a_search_without_a_front(search: SearchRecord) -> None:
    assert "No trial is complete and feasible yet" in body_of(front_page(search, []))


def test_user_text_is_escaped(search: SearchRecord, trials: list[TrialRecord]) -> None:
    search.name = trials[1].config["num_tokens"] = "</script><script>alert(1)</script>"
    assert "<script>alert(1)" not in front_page(search, trials)


def test_badges_mark_the_best_trials_and_the_knee(
    search: SearchRecord, trials: list[TrialRecord]
) -> None:
    front = front_of(trials, search.objectives, search.reference_point)
    assert _badges(front) == {"4": ["best AUC"], "1": ["best Training FLOPs"], "2": ["knee"]}
