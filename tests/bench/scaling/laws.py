"""Scaling laws: a power law of the gain over a baseline, and one that approaches an asymptote.

    power:      AUC(X) = AUC_0 + a X^k           (UniMixer, arXiv 2604.00590; AUC_0 is given)
    saturating: AUC(X) = A - b X^-c

The one that predicts the largest size better, from the others alone, is preferred.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from mixfront.exceptions import UsageError

Floats = npt.NDArray[np.float64]
_EXPONENTS = np.geomspace(0.01, 5.0, 300)  # c, searched
_SMALLEST_RISE = 1e-9  # of the AUC over all sizes; less is rounding
MIN_SIZES = 3


class Law(ABC):
    """AUC as a function of the cost X."""

    @abstractmethod
    def predict(self, cost: Floats) -> Floats:
        """AUCs (N,) at costs (N,)."""


@final
@dataclass(frozen=True, kw_only=True)
class PowerLaw(Law):
    """AUC_0 + a X^k."""

    baseline: float
    a: float
    k: float

    def predict(self, cost: Floats) -> Floats:
        """AUCs (N,) at costs (N,)."""
        return self.baseline + self.a * cost**self.k


@final
@dataclass(frozen=True, kw_only=True)
class SaturatingLaw(Law):
    """A - b X^-c."""

    asymptote: float
    b: float
    c: float

    def predict(self, cost: Floats) -> Floats:
        """AUCs (N,) at costs (N,)."""
        return self.asymptote - self.b * cost**-self.c


def fit_power(cost: Floats, auc: Floats, baseline: float) -> PowerLaw:
    """Least squares of log(AUC - AUC_0) on log X.

    Raises:
        UsageError: If there are too few sizes, or an AUC is not above the baseline's.
    """
    _require_sizes(cost)
    gain = auc - baseline
    if gain.min() <= 0:
        raise UsageError(
            f"an AUC of {auc.min():.4f} is not above the baseline's {baseline:.4f}, so its gain "
            "has no logarithm; choose a weaker baseline or larger sizes"
        )
    k, log_a = np.polyfit(np.log(cost), np.log(gain), 1)
    return PowerLaw(baseline=baseline, a=float(np.exp(log_a)), k=float(k))


def fit_saturating(cost: Floats, auc: Floats) -> SaturatingLaw:
    """Least squares: A, at most 1, and b in closed form for every c of a fine grid.

    Raises:
        UsageError: If there are too few sizes, or the AUC does not rise with the cost.
    """
    _require_sizes(cost)
    best: tuple[float, SaturatingLaw] | None = None
    for c in _EXPONENTS:
        design = np.stack([np.ones(len(cost)), -(cost**-c)], axis=1)
        (asymptote, b), *_ = np.linalg.lstsq(design, auc, rcond=None)
        law = SaturatingLaw(asymptote=float(asymptote), b=float(b), c=float(c))
        error = float(np.square(auc - law.predict(cost)).sum())
        rise = float(b * (cost.min() ** -c - cost.max() ** -c))
        is_law = rise > _SMALLEST_RISE and asymptote <= 1
        if is_law and (best is None or error < best[0]):
            best = error, law
    if best is None:
        raise UsageError(
            f"the AUC does not rise with the cost ({_rounded(auc)}), so no law with an asymptote "
            "fits; add rows or larger sizes"
        )
    return best[1]


def held_out_errors(cost: Floats, auc: Floats, baseline: float) -> dict[str, float]:
    """Prediction minus AUC at the largest size, of each law fitted to the other sizes.

    Raises:
        UsageError: If the other sizes cannot be fitted.
    """
    largest = cost == cost.max()
    fitted: dict[str, Law] = {
        "power": fit_power(cost[~largest], auc[~largest], baseline),
        "saturating": fit_saturating(cost[~largest], auc[~largest]),
    }
    actual = float(auc[largest].mean())
    return {
        name: float(law.predict(cost[largest]).mean()) - actual for name, law in fitted.items()
    }


def preferred(errors: dict[str, float]) -> str:
    """The law with the smaller error at the held-out largest size."""
    return min(errors, key=lambda name: abs(errors[name]))


def _require_sizes(cost: Floats) -> None:
    sizes = len(np.unique(cost))
    if sizes < MIN_SIZES:
        raise UsageError(f"a law needs {MIN_SIZES} different costs, but there are {sizes}")


def _rounded(auc: Floats) -> str:
    return ", ".join(f"{value:.4f}" for value in auc)
