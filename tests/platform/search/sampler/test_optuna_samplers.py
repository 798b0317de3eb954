"""Seeds of Optuna's samplers."""

from typing import Any

import optuna
import pytest

from mixfront.search.sampler.optuna_samplers import make_sampler


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_seed_is_reproducible_and_a_resumed_study_samples_differently(
    make_spec: Any, sampler: str
) -> None:
    spec = make_spec(search={"sampler": sampler, "seed": 3})

    def draws(num_trials: int) -> list[float]:
        study = optuna.create_study(sampler=make_sampler(spec, num_trials))
        return [study.ask().suggest_float("x", 0, 1) for _ in range(3)]

    assert draws(0) == draws(0)
    assert draws(0) != draws(5)
