"""The curves of sparsity and movement are drawn at the right pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from mixfront.training.pictures.sparsity_picture import (
    CHART_GAP,
    HEIGHT,
    LEFT,
    TOP,
    WIDTH,
    Curve,
    sparsity_picture,
)


def draw(steps: list[int], *curves: Curve) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    png = sparsity_picture("title", steps, [1.0] * len(steps), curves)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize("kind", ["global", "local"])
def test_values_are_drawn_at_their_coordinates(kind: str) -> None:
    curve = Curve(
        layer=0,
        kind="global" if kind == "global" else "local",
        support=(1.0, 0.25),
        peak=(0.0, 0.5),
        distance=(0.005, 0.015),  # on an axis up to 0.02
    )
    image = draw([50, 100], curve)
    ink = (68, 1, 84)
    for position, values in enumerate(((1.0, 0.25), (0.0, 0.5), (0.25, 0.75))):
        left = LEFT + position * (WIDTH + CHART_GAP)
        for x, value in zip((left + WIDTH // 2, left + WIDTH), values, strict=True):
            assert tuple(image[round(TOP + HEIGHT * (1 - value)), x]) == ink


def test_a_single_evaluation_is_drawn() -> None:
    curve = Curve(layer=2, kind="global", support=(0.5,), peak=(0.5,), distance=(0.0,))
    image = draw([7], curve)
    assert (image[TOP + HEIGHT // 2, LEFT + WIDTH] < 200).any()
