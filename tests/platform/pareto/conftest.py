"""A search with a few trials whose front is obvious."""

from collections.abc import Callable
from typing import Any

import pytest

from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective

MakeTrial = Callable[..., TrialRecord]


@pytest.fixture
def make_trial() -> MakeTrial:
    def make(
        number: int, *, state: TrialState = TrialState.COMPLETE, **values: Any
    ) -> TrialRecord:
        fields = {k: values.pop(k) for k in ("violations", "ended", "family") if k in values}
        return TrialRecord(
            trial_id=str(number),
            family=fields.pop("family", "unimixer"),
            config={"family": "unimixer", "num_tokens": 16, "optimizer.lr": 0.00123456},
            state=state,
            values=values,
            ended=fields.pop("ended", float(number)),
            **fields,
        )

    return make


@pytest.fixture
def search() -> SearchRecord:
    return SearchRecord(
        search_id="demo-1a2b3c4d",
        name="demo",
        spec={"name": "demo"},
        objectives=[
            Objective(metric="auc", direction="max"),
            Objective(metric="flops", direction="min"),
        ],
        reference_point=[0.5, 12.0],
        optuna_storage="",
        tracking_uri="sqlite:///unused.db",
        experiment="ranking",
    )


@pytest.fixture
def trials(make_trial: MakeTrial) -> list[TrialRecord]:
    """On the front: 1, 2, 4 and 7, which equals 4."""
    return [
        make_trial(0, auc=0.70, flops=1e10, family="rankmixer"),
        make_trial(1, auc=0.72, flops=1e9),
        make_trial(2, auc=0.74, flops=1e10),
        make_trial(3, auc=0.73, flops=2e10, family="rankmixer"),
        make_trial(4, auc=0.75, flops=1e11),
        make_trial(5, state=TrialState.PRUNED, auc=0.90, flops=1e8),
        make_trial(6, state=TrialState.FAILED),
        make_trial(7, auc=0.75, flops=1e11, family="unimixer_lite"),
        make_trial(8, auc=0.99, flops=1e8, violations={"params": 0.5}),
        make_trial(9, state=TrialState.INFEASIBLE),
        make_trial(10, state=TrialState.RUNNING, auc=0.99, flops=1e8),
    ]
