"""A picture of the gain over the first baseline against FLOPs and parameters, as SVG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from tests.bench.scaling.fitted import COSTS, Cost, PowerFit, fit_family
from tests.bench.scaling.laws import Floats
from tests.bench.scaling.measured import Measured


def draw(measured: Measured, families: Sequence[str], baseline: str, path: Path) -> None:
    """Write the picture; a family whose power law is refused has points and no line."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    panels = figure.subplots(1, len(COSTS), sharey=True)
    for axes, (unit, cost) in zip(panels, COSTS.items(), strict=True):
        for number, family in enumerate(families):
            _family(axes, measured, family, baseline, cost, f"C{number}")
        axes.set(xscale="log", xlabel=unit)
        axes.grid(alpha=0.3)
    lowest = min(_gains(measured, family, baseline)[0].min() for family in families)
    panels[0].set(yscale="log" if lowest > 0 else "linear", ylabel=f"AUC over {baseline}")
    panels[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _family(
    axes: Axes, measured: Measured, family: str, baseline: str, cost: Cost, colour: str
) -> None:
    x = np.array([cost(measured.models[i]) for i in measured.of(family)])
    gains, errors = _gains(measured, family, baseline)
    axes.errorbar(x, gains, errors, fmt="o", ms=4, color=colour, label=family)
    power = fit_family(measured, family, cost, [baseline]).power[baseline]
    if isinstance(power, PowerFit):
        grid = np.geomspace(x.min(), x.max(), 50)
        axes.plot(grid, power.law.predict(grid) - power.law.baseline, color=colour, lw=1)


def _gains(measured: Measured, family: str, baseline: str) -> tuple[Floats, Floats]:
    """AUC over the baseline of every size, and paired standard errors."""
    zero = measured.of(baseline)[0]
    gains, errors = np.array([measured.difference(i, zero) for i in measured.of(family)]).T
    return gains, errors
