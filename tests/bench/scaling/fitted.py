"""Scaling laws of each family, with intervals over evaluation rows and seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from tests.bench.scaling.laws import (
    Floats,
    PowerLaw,
    SaturatingLaw,
    fit_power,
    fit_saturating,
    held_out_errors,
)
from tests.bench.scaling.measured import Measured, Model

from mixfront.exceptions import UsageError

T = TypeVar("T")
Cost = Callable[[Model], float]
COSTS: dict[str, Cost] = {  # in the paper's units, on which `a` depends
    "GFLOPs per batch": lambda model: model.flops / 1e9,
    "million parameters": lambda model: model.params / 1e6,
}


@dataclass(frozen=True, kw_only=True)
class PowerFit:
    """A power law over one baseline; `draws` are its exponents k under other rows and seeds."""

    law: PowerLaw
    draws: Floats  # (draws,), NaN where the law could not be fitted

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of the exponents."""
        low, high = np.nanquantile(self.draws, [0.025, 0.975])
        return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Everything fitted to one family; a string says why a law could not be."""

    label: str
    power: dict[str, PowerFit | str]  # by baseline
    saturating: SaturatingLaw | str
    errors: dict[str, float] | str  # at the held-out largest size


def fit_family(measured: Measured, label: str, cost: Cost, baselines: Sequence[str]) -> Fitted:
    """Fit one family against one kind of cost.

    Args:
        measured: All models; a baseline is a label with one model.
        label: The family.
        cost: X of a model.
        baselines: Labels; the first gives AUC_0 for the held-out comparison.
    """
    members = measured.of(label)
    x = np.array([cost(measured.models[i]) for i in members])
    auc = np.array([measured.models[i].auc for i in members])
    return Fitted(
        label=label,
        power={name: _or_reason(_power, measured, members, x, name) for name in baselines},
        saturating=_or_reason(fit_saturating, x, auc),
        errors=_or_reason(held_out_errors, x, auc, _baseline(measured, baselines[0])),
    )


def _or_reason(fit: Callable[..., T], *arguments: object) -> T | str:
    try:
        return fit(*arguments)
    except UsageError as problem:
        return str(problem)


def _power(measured: Measured, members: Sequence[int], cost: Floats, baseline: str) -> PowerFit:
    position = measured.of(baseline)[0]
    auc = np.array([measured.models[i].auc for i in members])
    law = fit_power(cost, auc, measured.models[position].auc)
    draws = measured.draws()
    return PowerFit(law=law, draws=_exponents(cost, draws[:, members] - draws[:, [position]]))


def _exponents(cost: Floats, gains: Floats) -> Floats:
    """k of every draw of gains (draws, sizes), as `fit_power`; NaN if a gain is not positive."""
    log_cost = np.log(cost) - np.log(cost).mean()
    log_gain = np.log(np.where(gains > 0, gains, np.nan))
    slopes: Floats = log_gain @ log_cost / (log_cost @ log_cost)
    return slopes


def _baseline(measured: Measured, label: str) -> float:
    return measured.models[measured.of(label)[0]].auc
