"""A picture of how mixing becomes sparse over a trial's evaluations as tau falls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mixfront.training.pictures.canvas import FAINT, INK, TITLE, Canvas, Colour, Point, viridis

WIDTH, HEIGHT = 400, 300  # of one chart, in pixels
LEFT, TOP, CHART_GAP = 64, 104, 74
LEGEND = 180
MAX_TICKS = 6
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
DASH = 6


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Sparsity of one pattern in one layer, over the evaluations."""

    layer: int
    kind: Literal["global", "local"]
    support: tuple[float, ...]  # as a share of the matrix size, 0 to 1
    peak: tuple[float, ...]


def sparsity_picture(
    title: str, steps: Sequence[int], taus: Sequence[float], curves: Sequence[Curve]
) -> bytes:
    """PNG of two charts over steps: effective support, and the largest share.

    Args:
        title: Title of the picture.
        steps: Steps of the evaluations, ascending.
        taus: Temperature at each step.
        curves: The curves, with one value per step.
    """
    canvas = Canvas(LEFT + 2 * WIDTH + CHART_GAP + LEGEND, TOP + HEIGHT + 62)
    canvas.text((24, 22), title, size=TITLE)
    inks = _inks(1 + max(curve.layer for curve in curves))
    charts = (("effective support / size", "support"), ("largest share of a row", "peak"))
    for position, (name, attribute) in enumerate(charts):
        left = LEFT + position * (WIDTH + CHART_GAP)
        xs = _x_positions(steps, left)
        _axes(canvas, left, name, steps, taus, xs)
        for curve in curves:
            values = curve.support if attribute == "support" else curve.peak
            points = [(x, TOP + HEIGHT * (1 - v)) for x, v in zip(xs, values, strict=True)]
            _draw(canvas, points, inks[curve.layer], dashed=curve.kind == "local")
    _legend(canvas, curves, inks)
    return canvas.png()


def _x_positions(steps: Sequence[int], left: float) -> list[float]:
    """x coordinates of steps; the axis runs from 0 to the last step."""
    return [left + WIDTH * step / max(*steps, 1) for step in steps]


def _axes(
    canvas: Canvas,
    left: float,
    name: str,
    steps: Sequence[int],
    taus: Sequence[float],
    xs: Sequence[float],
) -> None:
    canvas.text((left, TOP - 34), name)
    for level in LEVELS:
        y = TOP + HEIGHT * (1 - level)
        canvas.line([(left, y), (left + WIDTH, y)], INK if level == 0 else FAINT)
        canvas.text((left - 8, y), f"{level:g}", anchor="rm")
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


def _legend(canvas: Canvas, curves: Sequence[Curve], inks: Sequence[Colour]) -> None:
    left = LEFT + 2 * WIDTH + CHART_GAP + 20
    for position, curve in enumerate(curves):
        y = TOP + 8 + 22 * position
        line = [(left, float(y)), (left + 26, float(y))]
        _draw(canvas, line, inks[curve.layer], dashed=curve.kind == "local")
        canvas.text((left + 36, y), f"{curve.kind}, layer {curve.layer}", anchor="lm")


def _inks(count: int) -> list[Colour]:
    """Distinct colours, without the brightest, which is invisible on white."""
    colours = viridis(np.linspace(0, 0.8, count))
    return [(int(r), int(g), int(b)) for r, g, b in colours]
