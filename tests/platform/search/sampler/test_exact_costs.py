"""The sampler `mixfront` in a search: nothing infeasible is proposed, and rungs count."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.platform.search.conftest import SPACE

from mixfront.records.store import TrialState
from mixfront.samplers.exact_cost_sampler import ExactCostSampler
from mixfront.samplers.suggestions import Suggestions
from mixfront.search.sampler.exact_costs import describe_for

SAMPLER = {"sampler": "mixfront", "trials": 14, "startup_trials": 4}


def test_nothing_is_proposed_that_cannot_be_built_or_costs_too_much(make_driver: Any) -> None:
    driver = make_driver(search=SAMPLER, constraints={"params": "<= 4e6"})
    assert isinstance(driver.study.sampler, ExactCostSampler)
    records = driver.run().store.trials()
    assert len(records) == 14
    assert {record.state for record in records} == {TrialState.COMPLETE}
    assert all(record.costs["params"] <= 4e6 for record in records)
    assert {record.family for record in records} == {"unimixer", "rankmixer"}


def test_trials_that_a_rung_stopped_are_in_the_model(make_driver: Any) -> None:
    driver = make_driver(
        search=SAMPLER, stopping={"kind": "fixed_rungs", "rungs": [0.25], "min_trials": 2}
    ).run()
    states = [record.state for record in driver.store.trials()]
    assert TrialState.PRUNED in states
    reader = driver.study.sampler._reader
    past = reader.read(driver.study.get_trials(deepcopy=False), but=-1)
    assert len(past) == len(states)
    assert {max(trial.values) for trial in past} == {0.25, 1.0}


def test_costs_are_in_the_scale_of_the_hypervolume(make_spec: Any) -> None:
    describe = describe_for(make_spec(search=SAMPLER), SPACE, lambda _: {"flops": 1e6})
    known = describe(Suggestions(np.random.default_rng(0)))
    assert known is not None
    assert known.costs == pytest.approx((6.0,))
    assert known.features.keys() >= {"family", "optimizer.lr"}


def test_a_search_for_the_value_alone_has_a_constant_cost(make_driver: Any) -> None:
    records = make_driver(search=SAMPLER, objectives=["auc"]).run().store.trials()
    assert len(records) == 14
    assert {record.state for record in records} == {TrialState.COMPLETE}


@pytest.mark.parametrize("objectives", [["auc", "uauc", "flops"], ["flops", "params"]])
def test_other_objectives_are_refused(make_spec: Any, objectives: list[str]) -> None:
    with pytest.raises(ValidationError, match="needs one objective that is measured by training"):
        make_spec(search=SAMPLER, objectives=objectives)
