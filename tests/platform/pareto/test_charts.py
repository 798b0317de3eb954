"""The interactive charts."""

from typing import Any

import pytest

from mixfront.pareto import charts, front_of
from mixfront.pareto.front import Front
from mixfront.records import SearchRecord, TrialRecord
from mixfront.spec.objectives import Objective

AUC = Objective(metric="auc", direction="max")
FLOPS = Objective(metric="flops", direction="min")
PARAMS = Objective(metric="params", direction="min")


@pytest.fixture
def front(search: SearchRecord, trials: list[TrialRecord]) -> Front:
    return front_of(trials, search.objectives, search.reference_point)


def test_every_trial_with_values_is_plotted_by_family(
    front: Front, trials: list[TrialRecord]
) -> None:
    figure = charts.front_chart(trials, front, FLOPS, AUC)
    counts = {trace.name: len(trace.x) for trace in figure.data if trace.mode == "markers"}
    assert counts == {
        "rankmixer": 2,
        "unimixer": 3,
        "unimixer_lite": 1,
        "stopped early": 1,
        "running": 1,
    }
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.type is None


def test_the_front_is_a_staircase_from_the_cheapest_trial(
    front: Front, trials: list[TrialRecord]
) -> None:
    line = charts.front_chart(trials, front, FLOPS, AUC).data[0]
    assert line.name == "front"
    assert line.line.shape == "hv"
    assert list(line.x) == [1e9, 1e10, 1e11, 1e11, 1e11]
    assert list(line.y) == [0.72, 0.74, 0.75, 0.75, 0.75]


def test_quality_is_on_the_y_axis_and_each_cost_has_a_chart() -> None:
    assert charts.objective_pairs([FLOPS, AUC, PARAMS]) == [(FLOPS, AUC), (PARAMS, AUC)]
    assert charts.objective_pairs([FLOPS, PARAMS]) == [(PARAMS, FLOPS)]
    assert charts.objective_pairs([AUC]) == []


def test_a_single_objective_is_plotted_over_trials(make_trial: Any) -> None:
    trials = [make_trial(n, auc=auc) for n, auc in enumerate((0.7, 0.6, 0.8))]
    figure = charts.progress_chart(trials, front_of(trials, [AUC], [0.5]))
    assert list(figure.data[0].y) == [0.7, 0.7, 0.8]


def test_the_last_hypervolume_is_that_of_the_front(
    front: Front, trials: list[TrialRecord]
) -> None:
    line = charts.hypervolume_chart(trials, front).data[0]
    assert list(line.x) == [1, 2, 3, 4, 5, 6]
    assert line.y[-1] == pytest.approx(front.hypervolume)


def test_models_that_learned_nothing_do_not_stretch_the_axis(make_trial: Any) -> None:
    trials = [make_trial(n, auc=0.74 + n / 1000, flops=1e9) for n in range(9)]
    trials.append(make_trial(9, auc=0.5, flops=1e9))
    y_range = charts.focused_range(front_of(trials, [AUC, FLOPS], [0.5, 12]), AUC)
    assert y_range is not None
    assert 0.7 < y_range[0] < 0.74 < 0.748 < y_range[1]
    few = front_of(trials[-3:], [AUC, FLOPS], [0.5, 12])
    assert charts.focused_range(few, AUC) is None


def test_user_text_is_escaped(make_trial: Any) -> None:
    trial = make_trial(0, auc=0.7)
    trial.config = {"note": "<b onload=x>"}
    assert "note &lt;b onload=x&gt;" in charts.hover(trial)
