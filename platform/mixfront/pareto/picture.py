"""A static picture of the front for documents, as SVG, PNG or PDF."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mixfront.exceptions import UsageError
from mixfront.pareto.formatting import with_prefix
from mixfront.pareto.front import Front, front_of
from mixfront.records import SearchRecord, TrialRecord
from mixfront.spec.metrics import describe_metric
from mixfront.spec.objectives import Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

SUFFIXES = (".svg", ".png", ".pdf")


def save_picture(search: SearchRecord, trials: Sequence[TrialRecord], path: Path) -> None:
    """Draw two objectives of the front and write the picture in the format of the suffix.

    Raises:
        UsageError: If the format is not supported, or there is only one objective.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"the format of {path.name!r} is not supported; use one of {', '.join(SUFFIXES)}"
        )
    if len(search.objectives) < 2:
        raise UsageError(
            f"search {search.name!r} has only one objective, but a picture of the front needs "
            "two; write the page with --html instead"
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    front = front_of(trials, search.objectives, search.reference_point)
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    FigureCanvasAgg(figure)  # needs no display, and does not change pyplot's state
    _draw(figure.add_subplot(), front)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: "Axes", front: Front) -> None:
    from mixfront.pareto.charts import (
        FRONT_LINE,
        GRID,
        family_colours,
        focused_range,
        objective_pairs,
    )

    x, y = objective_pairs(front.objectives)[0]
    for family, colour in family_colours(front.candidates).items():
        of_family = [trial for trial in front.candidates if trial.family == family]
        _scatter(axes, of_family, front, x, y, colour, family)
    if len(front.objectives) == 2 and front.members:
        sign = 1 if x.direction == "min" else -1
        members = sorted(front.members, key=lambda trial: sign * trial.values[x.metric])
        xs, ys = ([trial.values[o.metric] for trial in members] for o in (x, y))
        axes.step(xs, ys, where="post", color=FRONT_LINE, linewidth=1.2, zorder=2, label="front")
    _label_axes(axes, x, y)
    if (y_range := focused_range(front, y)) is not None:
        axes.set_ylim(*y_range)
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if front.candidates:
        axes.legend(frameon=False)


def _scatter(
    axes: "Axes",
    trials: Sequence[TrialRecord],
    front: Front,
    x: Objective,
    y: Objective,
    colour: str,
    family: str,
) -> None:
    best = [trial for trial in trials if front.ranks[trial.trial_id] == 0]
    rest = [trial for trial in trials if front.ranks[trial.trial_id] > 0]
    for group, size, alpha, edge in ((rest, 24, 0.45, 0.0), (best, 70, 1.0, 1.2)):
        axes.scatter(
            [trial.values[x.metric] for trial in group],
            [trial.values[y.metric] for trial in group],
            s=size,
            alpha=alpha,
            linewidths=edge,
            color=colour,
            edgecolors="black",
            label=family if group is best else None,
            zorder=3,
        )


def _label_axes(axes: "Axes", x: Objective, y: Objective) -> None:
    from mixfront.pareto.charts import axis_title

    axes.set_xlabel(axis_title(x))
    axes.set_ylabel(axis_title(y))
    for objective, axis, name in ((x, axes.xaxis, "x"), (y, axes.yaxis, "y")):
        if describe_metric(objective.metric).log10:
            axes.set(**{f"{name}scale": "log"})
            _label_decades(axis)


def _label_decades(axis: "Axis") -> None:
    """Label only a few ticks, as matplotlib's minor labels overlap on a short log axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(nbins=5))
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: with_prefix(value)))
    axis.set_minor_formatter(NullFormatter())
