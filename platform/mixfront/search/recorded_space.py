"""The space of a search as it was when the search started."""

from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)
from optuna.trial import FrozenTrial

from mixfront.exceptions import SpecError
from mixfront.records.store import SearchRecord
from mixfront.spaces import Space, load_space
from mixfront.spec.search_spec import SearchSpec


def recorded_space(search: SearchRecord, spec: SearchSpec, study: optuna.Study) -> Space:
    """Load the space that the search saved when it started.

    Searches of version 0.1 saved none: their space is loaded by its name and must still fit the
    study.

    Raises:
        SpecError: If the space has changed since the search started.
    """
    if search.space is not None:
        return load_space(search.space)
    space = load_space(spec.space)
    for trial in study.get_trials(deepcopy=False):
        try:
            space.suggest(_Replay(trial))
        except _ChangedError as error:
            raise SpecError(
                f"search {search.name!r} started with an earlier version of the space "
                f"{space.name!r}, in which {error}; it cannot be resumed, but its finished trials "
                "can be promoted"
            ) from None
    return space


class _ChangedError(Exception):
    """Says what a parameter was when the search started."""


class _Replay:
    """Suggests the values of an earlier trial, if the study could still take the parameters."""

    def __init__(self, trial: FrozenTrial) -> None:
        self._trial = trial

    def suggest_categorical(self, name: str, choices: list[Any], /) -> Any:
        return self._value(name, CategoricalDistribution(choices), choices[0])

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int, log: bool) -> int:
        return int(self._value(name, IntDistribution(low, high, log, step), low))

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool) -> float:
        return float(self._value(name, FloatDistribution(low, high, log), low))

    def _value(self, name: str, distribution: BaseDistribution, default: Any) -> Any:
        earlier = self._trial.distributions.get(name)
        if earlier is None:
            return default
        try:
            check_distribution_compatibility(earlier, distribution)
        except ValueError:
            raise _ChangedError(f"{name!r} was {_text(earlier)}") from None
        return self._trial.params[name]


def _text(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(map(str, distribution.choices))}"
    return f"a different range, {distribution}"
