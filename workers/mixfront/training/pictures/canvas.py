"""A small PNG canvas: text, lines, heat maps with a colour bar.

A picture takes tens of milliseconds; with matplotlib the trial would wait 0.3 s.
"""

import functools
import io
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
Colour = tuple[int, int, int]

INK: Colour = (32, 32, 32)
FAINT: Colour = (215, 215, 215)
TEXT, TITLE = 15, 20  # sizes in pixels
BAR_GAP, BAR_WIDTH = 12, 14
_SCALE = 2  # drawn at twice the size and averaged, for smooth lines
_VIRIDIS = (  # evenly spaced
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
)
_SHADES = 256


def viridis(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colours (..., 3) of values in 0..1; perceptually uniform, also for the colour-blind."""
    colours: NDArray[np.uint8] = _shades()[(values * (_SHADES - 1) + 0.5).astype(np.uint8)]
    return colours


@functools.cache
def _shades() -> NDArray[np.uint8]:
    anchors = np.array([list(bytes.fromhex(code)) for code in _VIRIDIS.split()])
    known, shades = np.linspace(0, 1, len(anchors)), np.linspace(0, 1, _SHADES)
    return np.stack([np.interp(shades, known, c) for c in anchors.T], -1).round().astype(np.uint8)


class Canvas:
    """A white canvas, sized in pixels; coordinates start at the upper left."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._squares: list[tuple[Image.Image, tuple[int, int]]] = []  # pasted without smoothing

    def text(
        self, at: Point, text: str, *, size: int = TEXT, anchor: str = "la", ink: Colour = INK
    ) -> None:
        """One line of text; `anchor` as in Pillow: "la" puts its upper left at the point."""
        font = ImageFont.load_default(size * _SCALE)
        self._draw.text(_scaled(at), text, fill=ink, font=font, anchor=anchor)

    def line(
        self, points: Sequence[Point], ink: Colour = INK, *, width: float = 1, dash: float = 0
    ) -> None:
        """A line through points; dashed if `dash` is positive, which is then the dash length."""
        for start, end in itertools.pairwise(points):
            for piece in _pieces(start, end, dash):
                ends = [_scaled(point) for point in piece]
                self._draw.line(ends, fill=ink, width=round(width * _SCALE))

    def dot(self, at: Point, ink: Colour, radius: float = 3.5) -> None:
        """A filled circle."""
        x, y = _scaled(at)
        r = radius * _SCALE
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)

    def heat(self, at: Point, side: int, values: NDArray[np.floating], top: float) -> None:
        """A square heat map of values (rows, columns); values from `top` up are brightest."""
        picture = Image.fromarray(viridis(np.clip(values / top, 0, 1)))
        square = picture.resize((side, side), Image.Resampling.NEAREST)
        self._squares.append((square, _whole(at)))

    def colour_bar(self, at: Point, side: int, top: float) -> None:
        """The scale from 0 to `top`, to the right of a heat map with the same arguments."""
        x, y = at[0] + side + BAR_GAP, at[1]
        strip = Image.fromarray(viridis(np.linspace(1, 0, 256)[:, None]))
        self._squares.append((strip.resize((BAR_WIDTH, side)), _whole((x, y))))
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            level = y + side * (1 - share)
            self.line([(x + BAR_WIDTH, level), (x + BAR_WIDTH + 4, level)])
            self.text((x + BAR_WIDTH + 8, level), f"{top * share:.3g}", anchor="lm")

    def png(self) -> bytes:
        """The canvas as PNG."""
        buffer = io.BytesIO()
        picture = self._image.reduce(_SCALE)
        for square, at in self._squares:
            picture.paste(square, at)
        picture.save(buffer, "png", compress_level=1)
        return buffer.getvalue()


def _scaled(at: Point) -> Point:
    return at[0] * _SCALE, at[1] * _SCALE


def _whole(at: Point) -> tuple[int, int]:
    return round(at[0]), round(at[1])


def _pieces(start: Point, end: Point, dash: float) -> list[tuple[Point, Point]]:
    """The line from start to end, or its dashes."""
    if dash <= 0:
        return [(start, end)]
    a, b = np.array(start), np.array(end)
    count = max(1, round(float(np.hypot(*(b - a))) / dash))
    stops = [(float(x), float(y)) for x, y in a + np.linspace(0, 1, count + 1)[:, None] * (b - a)]
    return list(zip(stops[::2], stops[1::2], strict=False))
