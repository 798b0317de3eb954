"""A picture of how mixing becomes sparse and moves over a trial's evaluations."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mixfront.training.pictures.canvas import FAINT, INK, TITLE, Canvas, Colour, Point, viridis

WIDTH, HEIGHT = 400, 300  # of one chart, in pixels
LEFT, TOP, CHART_GAP = 64, 104, 74
LEGEND = 180
MAX_TICKS = 6
SMALLEST_TOP = 1e-4  # of a distance; less has not moved
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
DASH = 6


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Sparsity and movement of one pattern in one layer, over the evaluations."""

    layer: int
    kind: Literal["global", "local"]
    support: tuple[float, ...]  # as a share of the matrix size, 0 to 1
    peak: tuple[float, ...]
    distance: tuple[float, ...]  # from the initial matrices


@dataclass(frozen=True, kw_only=True)
class _Chart:
    title: str
    values: Callable[[Curve], tuple[float, ...]]
    is_share: bool  # between 0 and 1


CHARTS = (
    _Chart(title="effective support / size", values=lambda curve: curve.support, is_share=True),
    _Chart(title="largest share of a row", values=lambda curve: curve.peak, is_share=True),
    _Chart(title="distance moved", values=lambda curve: curve.distance, is_share=False),
)


def sparsity_picture(
    title: str, steps: Sequence[int], taus: Sequence[float], curves: Sequence[Curve]
) -> bytes:
    """PNG of three charts over steps: effective support, largest share, distance moved.

    Args:
        title: Title of the picture.
        steps: Steps of the evaluations, ascending.
        taus: Temperature at each step.
        curves: The curves, with one value per step.
    """
    width = LEFT + len(CHARTS) * (WIDTH + CHART_GAP) - CHART_GAP
    canvas = Canvas(width + LEGEND, TOP + HEIGHT + 62)
    canvas.text((24, 22), title, size=TITLE)
    inks = _inks(1 + max(curve.layer for curve in curves))
    for position, chart in enumerate(CHARTS):
        left = LEFT + position * (WIDTH + CHART_GAP)
        xs = _x_positions(steps, left)
        top = 1.0 if chart.is_share else _top(max(v for c in curves for v in chart.values(c)))
        _axes(canvas, (left, top), chart.title, steps, taus, xs)
        for curve in curves:
            values = zip(xs, chart.values(curve), strict=True)
            points = [(x, TOP + HEIGHT * (1 - value / top)) for x, value in values]
            _draw(canvas, points, inks[curve.layer], dashed=curve.kind == "local")
    _legend(canvas, width, curves, inks)
    return canvas.png()


def _top(largest: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `largest`."""
    power = 10.0 ** math.floor(math.log10(max(largest, SMALLEST_TOP)))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= largest)


def _x_positions(steps: Sequence[int], left: float) -> list[float]:
    """x coordinates of steps; the axis runs from 0 to the last step."""
    return [left + WIDTH * step / max(*steps, 1) for step in steps]


def _axes(
    canvas: Canvas,
    corner: tuple[float, float],
    title: str,
    steps: Sequence[int],
    taus: Sequence[float],
    xs: Sequence[float],
) -> None:
    """Draw grid and labels; `corner` is the left edge in pixels and the value at the top."""
    left, top = corner
    canvas.text((left, TOP - 34), title)
    for level in LEVELS:
        y = TOP + HEIGHT * (1 - level)
        canvas.line([(left, y), (left + WIDTH, y)], INK if level == 0 else FAINT)
        canvas.text((left - 8, y), f"{level * top:.3g}", anchor="rm")
    shown = np.unique(np.linspace(0, len(xs) - 1, min(MAX_TICKS, len(xs))).round().astype(int))
    for index in shown:
        canvas.line([(xs[index], TOP + HEIGHT), (xs[index], TOP + HEIGHT + 5)])
        canvas.text((xs[index], TOP + HEIGHT + 10), f"{steps[index]:,}", anchor="ma")
        canvas.text((xs[index], TOP + HEIGHT + 32), f"{taus[index]:.2g}", anchor="ma")
    canvas.text((left - 8, TOP + HEIGHT + 10), "step", anchor="ra")
    canvas.text((left - 8, TOP + HEIGHT + 32), "tau", anchor="ra")


def _draw(canvas: Canvas, points: Sequence[Point], ink: Colour, *, dashed: bool) -> None:
    canvas.line(points, ink, width=2, dash=DASH if dashed else 0)
    for point in points:
        canvas.dot(point, ink)


def _legend(canvas: Canvas, left: float, curves: Sequence[Curve], inks: Sequence[Colour]) -> None:
    left += 20
    for position, curve in enumerate(curves):
        y = TOP + 8 + 22 * position
        line = [(left, float(y)), (left + 26, float(y))]
        _draw(canvas, line, inks[curve.layer], dashed=curve.kind == "local")
        canvas.text((left + 36, y), f"{curve.kind}, layer {curve.layer}", anchor="lm")


def _inks(count: int) -> list[Colour]:
    """Distinct colours, without the brightest, which is invisible on white."""
    colours = viridis(np.linspace(0, 0.8, count))
    return [(int(r), int(g), int(b)) for r, g, b in colours]
