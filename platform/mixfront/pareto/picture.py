"""A still picture of the front, for documents: SVG, PNG or PDF."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mixfront.exceptions import UsageError
from mixfront.pareto.front import Front, front_of
from mixfront.pareto.scale import is_log10
from mixfront.records import Objective, SearchRecord, TrialRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".svg", ".png", ".pdf")


def save_picture(search: SearchRecord, trials: Sequence[TrialRecord], path: Path) -> None:
    """Draw the first two axes of the front and write it, in the format of the file's suffix.

    Raises:
        UsageError: If the suffix is of no known format, or there is only one objective.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path.name!r} is of no known format: end it in {', '.join(SUFFIXES)}")
    if len(search.objectives) < 2:
        raise UsageError(f"search {search.name!r} has one objective: a front needs two")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    front = front_of(trials, search.objectives, search.reference_point)
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display, and leaves pyplot's state alone
    _draw(figure.add_subplot(), front)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw(axes: "Axes", front: Front) -> None:
    from mixfront.pareto.charts import (
        FRONT_LINE,
        GRID,
        family_colours,
        interesting_range,
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
    _name_axes(axes, x, y)
    if (interesting := interesting_range(front, y)) is not None:
        axes.set_ylim(*interesting)
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


def _name_axes(axes: "Axes", x: Objective, y: Objective) -> None:
    better = {"min": "lower is better", "max": "higher is better"}
    axes.set_xlabel(f"{x.metric} ({better[x.direction]})")
    axes.set_ylabel(f"{y.metric} ({better[y.direction]})")
    if is_log10(x.metric):
        axes.set_xscale("log")
    if is_log10(y.metric):
        axes.set_yscale("log")
