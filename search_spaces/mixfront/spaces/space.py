"""A conditional search space: first the family, then the parameters of that family."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mixfront.exceptions import SpecError, nearest
from mixfront.spaces.keys import FAMILY, check_key
from mixfront.spaces.parameters import Choice, Fixed, Float, Int, contains, describe

Searched = Choice | Int | Float
Picker = Callable[[str, str, Searched], Any]  # (name in the study, key, parameter) -> value
T = TypeVar("T")


class Suggesting(Protocol):
    """The methods of `optuna.Trial` that a space uses; a `FrozenTrial` has them too."""

    def suggest_categorical(self, name: str, choices: list[Any], /) -> Any:
        """Suggest one of `choices`."""

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int, log: bool) -> int:
        """Suggest an integer in the range."""

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool) -> float:
        """Suggest a number in the range."""


@dataclass(frozen=True, kw_only=True)
class Enqueued:
    """A configuration for `study.enqueue_trial`."""

    params: dict[str, Any]  # by Optuna parameter name
    extra: dict[str, Any]  # flat keys that are set but not searched, such as "seed"


@dataclass(frozen=True, kw_only=True)
class Space:
    """Parameters by family, and the parameters that every family shares.

    In configurations, a parameter has a flat key ("num_blocks", "optimizer.lr"). In the study, a
    family's own parameters are prefixed with its name ("unimixer.num_blocks"), so that a sampler
    that groups parameters by co-occurrence keeps families apart; shared ones have no prefix.
    """

    name: str
    families: dict[str, dict[str, Fixed | Searched]]
    shared: dict[str, Fixed | Searched]

    def suggest(self, trial: Suggesting) -> dict[str, Any]:
        """Sample a flat configuration, define-by-run.

        Raises:
            SpecError: If the values sampled so far leave a parameter without an allowed value.
        """
        return self._walk(lambda name, _key, parameter: _suggest(trial, name, parameter))

    def extremes(self) -> list[dict[str, Any]]:
        """Corners of the space.

        Per family: the largest and the smallest configuration, and the largest one with one
        parameter at a time set to each of its values or bounds.
        """
        corners = [c for family in self.families for c in self._corners(family)]
        return [c for i, c in enumerate(corners) if c not in corners[:i]]

    def enqueue(self, config: Mapping[str, Any], source: str) -> Enqueued:
        """Convert a user's configuration to Optuna parameters; missing ones are sampled.

        Raises:
            SpecError: If the family or a key is unknown, or a value is outside the space.
        """
        family = self._family_of(config, source)
        parameters = self._parameters(family)
        for key in config:
            if key != FAMILY:
                check_key(key, family, source)
        params: dict[str, Any] = {FAMILY: family}
        values: dict[str, Any] = {}
        for key, (name, parameter) in parameters.items():
            if isinstance(parameter, Fixed):
                values[key] = config.get(key, parameter.value)
            elif key in config:
                values[key] = _hashable(config[key])
                params |= _enqueued(name, key, parameter, values, source)
        searched = {key for key, (_, p) in parameters.items() if not isinstance(p, Fixed)}
        extra = {k: v for k, v in config.items() if k != FAMILY and k not in searched}
        return Enqueued(params=params, extra=extra)

    def describe(self) -> dict[str, Any]:
        """The whole space as plain JSON."""
        return {
            "name": self.name,
            "families": {family: _dump(own) for family, own in self.families.items()},
            "shared": _dump(self.shared),
        }

    def _walk(self, pick: Picker) -> dict[str, Any]:
        family = pick(FAMILY, FAMILY, Choice(values=tuple(self.families)))
        config: dict[str, Any] = {FAMILY: family}
        for key, (name, parameter) in self._parameters(family).items():
            if isinstance(parameter, Fixed):
                config[key] = _to_config(parameter.value)
                continue
            narrowed = _narrow(parameter, config)
            if narrowed is None:
                raise SpecError(
                    f"space {self.name!r} allows no value of {key!r} with {config}; add a value"
                )
            config[key] = _to_config(pick(_study_name(name, parameter, narrowed), key, narrowed))
        return config

    def _parameters(self, family: str) -> dict[str, tuple[str, Fixed | Searched]]:
        """Flat key -> (name in the study, parameter); a family's own keys override shared ones."""
        own = self.families[family]
        shared = {key: (key, p) for key, p in self.shared.items() if key not in own}
        return shared | {key: (f"{family}.{key}", p) for key, p in own.items()}

    def _corners(self, family: str) -> Iterator[dict[str, Any]]:
        yield from self._corner(family, largest=True, moved=None)
        yield from self._corner(family, largest=False, moved=None)
        for key, (_, parameter) in self._parameters(family).items():
            for value in _ends(parameter):
                yield from self._corner(family, largest=True, moved=(key, value))

    def _corner(
        self, family: str, *, largest: bool, moved: tuple[str, Any] | None
    ) -> Iterator[dict[str, Any]]:
        def pick(_name: str, key: str, parameter: Searched) -> Any:
            if key == FAMILY:
                return family
            if moved is not None and key == moved[0] and contains(parameter, moved[1]):
                return moved[1]
            return _ends(parameter)[-1 if largest else 0]

        try:
            yield self._walk(pick)
        except SpecError:
            return  # no configuration exists at this corner

    def _family_of(self, config: Mapping[str, Any], source: str) -> str:
        if FAMILY not in config and len(self.families) == 1:
            return next(iter(self.families))
        family = config.get(FAMILY)
        if not isinstance(family, str):
            names = ", ".join(self.families)
            raise SpecError(f"{source} has no family; add `family:` with one of {names}")
        if family not in self.families:
            hint = nearest(family, self.families)
            raise SpecError(f"{source}: unknown family {family!r} in this space: {hint}")
        return family


def _narrow(parameter: Searched, config: Mapping[str, Any]) -> Searched | None:
    return parameter.narrowed(config) if isinstance(parameter, Choice) else parameter


def _study_name(name: str, whole: Searched, narrowed: Searched) -> str:
    """The Optuna name. Optuna fixes the choices of a name, so a narrowed choice gets its own."""
    if isinstance(narrowed, Choice) and narrowed != whole:
        return f"{name}[{','.join(str(value) for value in narrowed.values)}]"
    return name


def _suggest(trial: Suggesting, name: str, parameter: Searched) -> Any:
    if isinstance(parameter, Choice):
        by_choice = {_to_study(value): value for value in parameter.values}
        return by_choice[trial.suggest_categorical(name, list(by_choice))]
    if isinstance(parameter, Int):
        return trial.suggest_int(
            name, parameter.low, parameter.high, step=parameter.step, log=parameter.log
        )
    return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)


def _enqueued(
    name: str, key: str, parameter: Searched, values: Mapping[str, Any], source: str
) -> dict[str, Any]:
    narrowed, value = _narrow(parameter, values), values[key]
    if narrowed is None or not contains(narrowed, value):
        allowed = "no value with these other keys" if narrowed is None else describe(narrowed)
        raise SpecError(f"{source}: {key!r} is {value!r}, but the space allows {allowed}")
    return {_study_name(name, parameter, narrowed): _to_study(value)}


def _ends(parameter: Fixed | Searched) -> list[Any]:
    """Bounds or values from smallest to largest; unordered values as listed."""
    if isinstance(parameter, Fixed):
        return [parameter.value]
    if not isinstance(parameter, Choice):
        return [parameter.low, parameter.high]
    if all(isinstance(value, int | float) for value in parameter.values):
        return sorted(parameter.values, key=_number)
    return list(parameter.values)


def _number(value: Any) -> float:
    return float(value)


def _to_study(value: Any) -> Any:
    """The value for the study; Optuna only stores scalars."""
    return json.dumps(value) if isinstance(value, tuple | list) else value


def _to_config(value: Any) -> Any:
    """The value for a configuration, which is plain JSON."""
    return list(value) if isinstance(value, tuple) else value


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _dump(parameters: dict[str, Fixed | Searched]) -> dict[str, Any]:
    return {
        key: p.model_dump(mode="json", exclude_defaults=False) for key, p in parameters.items()
    }
