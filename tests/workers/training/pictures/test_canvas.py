"""Pixels of drawn text, lines, dots and heat maps."""

import io

import numpy as np
import pytest
from PIL import Image

from mixfront.training.pictures.canvas import Canvas, viridis

WHITE = (255, 255, 255)


def pixels(canvas: Canvas) -> Image.Image:
    return Image.open(io.BytesIO(canvas.png())).convert("RGB")


def test_colours_get_monotonically_brighter() -> None:
    colours = viridis(np.linspace(0, 1, 50)).astype(float)
    brightness = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(brightness) > 0).all()
    assert viridis(np.array([0.0, 1.0])).tolist() == [[68, 1, 84], [253, 231, 37]]


def test_a_heat_map_and_its_scale() -> None:
    canvas = Canvas(200, 120)
    canvas.heat((10, 10), 100, np.array([[0.0, 2.0], [4.0, 8.0]], np.float32), top=4.0)
    canvas.colour_bar((10, 10), 100, top=4.0)
    picture = pixels(canvas)
    low, middle, high = (tuple(colour) for colour in viridis(np.array([0.0, 0.5, 1.0])).tolist())
    assert picture.size == (200, 120)
    assert picture.getpixel((20, 20)) == low
    assert picture.getpixel((100, 20)) == middle
    assert picture.getpixel((20, 100)) == picture.getpixel((100, 100)) == high
    assert picture.getpixel((5, 5)) == WHITE
    bar = 10 + 100 + 12 + 7
    assert picture.getpixel((bar, 11)) == pytest.approx(high, abs=10)
    assert picture.getpixel((bar, 108)) == pytest.approx(low, abs=10)


def test_lines_dashes_dots_and_text() -> None:
    canvas = Canvas(120, 100)
    canvas.line([(10, 10), (110, 10)], (0, 0, 0), width=2)
    canvas.line([(10, 30), (110, 30)], (0, 0, 0), width=2, dash=10)
    canvas.dot((20, 50), (0, 0, 255))
    canvas.text((10, 70), "tau 0.05")
    drawn = np.asarray(pixels(canvas)).astype(int)
    dark = drawn.sum(-1) < 200
    assert dark[10, 12:108].all()
    assert 40 <= dark[30, 12:108].sum() <= 60
    assert tuple(drawn[50, 20]) == (0, 0, 255)
    assert (drawn[68:92, 8:80] < 128).any()
