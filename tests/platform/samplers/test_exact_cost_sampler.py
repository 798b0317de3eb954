"""Proposals on a problem with a known front."""

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from mixfront.samplers.candidates import Known
from mixfront.samplers.exact_cost_sampler import ExactCostSampler

optuna.logging.set_verbosity(optuna.logging.WARNING)

DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)


def describe(trial: Any) -> Known | None:
    """A number of blocks, which costs, and two settings that only have to be right."""
    family = trial.suggest_categorical("family", ["a", "b"])
    blocks = trial.suggest_int("blocks", 1, 16, log=True)
    lr = trial.suggest_float(f"{family}.lr", 1e-3, 1.0, log=True)
    if family == "b" and blocks > 12:
        return None
    features = {"family": family, "blocks": blocks, "lr": lr}
    return Known(costs=(float(np.log10(blocks)),), features=features)


def value_of(params: dict[str, Any]) -> float:
    family, miss = params["family"], np.log10(params[f"{params['family']}.lr"]) + 1.5
    return float(0.1 * np.log2(params["blocks"]) - 0.2 * miss**2 + (0.1 if family == "a" else 0.0))


def run(study: optuna.Study, count: int) -> list[dict[str, Any]]:
    proposed = []
    for _ in range(count):
        trial = study.ask()
        known = describe(trial)
        proposed.append(dict(trial.params))
        assert known is not None
        study.tell(trial, [value_of(trial.params), known.costs[0]])
    return proposed


def make_study(seed: int = 0, **options: Any) -> optuna.Study:
    sampler = ExactCostSampler(describe, seed=seed, **options)
    return optuna.create_study(directions=DIRECTIONS, sampler=sampler)


def test_it_finds_the_right_settings_at_every_cost() -> None:
    study = make_study()
    run(study, 40)
    later = [trial.params for trial in study.trials[15:]]
    misses = [abs(np.log10(p[f"{p['family']}.lr"]) + 1.5) for p in later]
    assert np.median(misses) < 0.3  # 0.75 at random
    assert np.mean([p["family"] == "a" for p in later]) > 0.7
    assert len({p["blocks"] for p in later}) >= 8


def test_a_proposal_depends_on_seed_number_and_results_alone() -> None:
    first, second = make_study(), make_study()
    assert run(first, 14) == run(second, 14)
    second.sampler = ExactCostSampler(describe, seed=0)  # as after a restart
    again, resumed = first.ask(), second.ask()
    describe(again), describe(resumed)
    assert again.params == resumed.params
    assert run(make_study(seed=1), 3) != run(make_study(), 3)


def test_nothing_is_proposed_twice_while_it_runs() -> None:
    study = make_study()
    run(study, 12)
    waiting = [study.ask() for _ in range(8)]
    for trial in waiting:
        describe(trial)
    assert len({str(sorted(trial.params.items())) for trial in waiting}) == len(waiting)


def test_failed_trials_and_a_minimised_value_do_not_matter() -> None:
    sampler = ExactCostSampler(describe, seed=0)
    study = optuna.create_study(directions=[StudyDirection.MINIMIZE] * 2, sampler=sampler)
    for _ in range(25):
        trial = study.ask()
        known = describe(trial)
        assert known is not None
        if trial.number % 5 == 0:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, [-value_of(trial.params), known.costs[0]])
    families = [trial.params["family"] for trial in study.trials[-8:]]
    assert families.count("a") >= 5


def test_stopped_trials_count_at_their_fidelity() -> None:
    def values(trial: optuna.trial.FrozenTrial) -> dict[float, float]:
        at = {0.25: trial.user_attrs["early"]} if "early" in trial.user_attrs else {}
        return at | ({1.0: trial.values[0]} if trial.state is TrialState.COMPLETE else {})

    study = make_study(values=values)
    for _ in range(30):
        trial = study.ask()
        known = describe(trial)
        assert known is not None
        value = value_of(trial.params)
        trial.set_user_attr("early", value - 0.3)
        if value < 0.1 and trial.number:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, [value, known.costs[0]])
    misses = [abs(np.log10(t.params[f"{t.params['family']}.lr"]) + 1.5) for t in study.trials[15:]]
    assert np.median(misses) < 0.4


def test_equal_values_are_no_reason_to_fail() -> None:
    study = make_study()
    for _ in range(14):
        trial = study.ask()
        known = describe(trial)
        assert known is not None
        study.tell(trial, [0.5, known.costs[0]])


def test_without_a_feasible_configuration_it_samples_at_random() -> None:
    def infeasible(trial: Any) -> None:
        trial.suggest_float("x", 0, 1)

    study = optuna.create_study(
        directions=DIRECTIONS, sampler=ExactCostSampler(infeasible, seed=0)
    )
    assert 0 <= study.ask().suggest_float("x", 0, 1) <= 1


@pytest.mark.parametrize("count", [5, 400])
def test_the_model_has_at_most_so_many_trials(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixfront.samplers.exact_cost_sampler.MAX_TRIALS", 12)
    study = make_study(startup_trials=3)
    assert len(run(study, min(count, 25))) == min(count, 25)
