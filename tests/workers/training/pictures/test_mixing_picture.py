"""The picture of one layer, for matrices of all sizes."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mixfront.models.mixing.view import MixingView
from mixfront.training.pictures.canvas import viridis
from mixfront.training.pictures.mixing_picture import (
    LEFT,
    MAX_SIZE,
    PANEL,
    SIDE,
    TOP,
    is_drawable,
    layer_picture,
    pooled,
)


def view_of(matrices: Tensor, kind: str) -> MixingView:
    return MixingView(
        layer=0,
        kind="global" if kind == "global" else "local",
        count=len(matrices),
        size=matrices.shape[-1],
        tau=1.0,
        rows=lambda which: matrices[:, which],
    )


def test_single_large_entries_survive_pooling() -> None:
    rows = torch.zeros(7, 7)
    rows[2, 6] = 1
    assert pooled(rows, 3).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("size", [3, 512, 1030])
def test_a_permutation_is_visible_at_every_size(size: int) -> None:
    """The exchange matrix is bright from lower left to upper right."""
    picture = layer_picture("title", [view_of(torch.eye(size).flip(0)[None], "global")], [0.1])
    image = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))[TOP:, LEFT:][:SIDE, :SIDE]
    low, high = viridis(np.array([0.0, 1.0]))
    assert (image[0, -1] == high).all()
    assert (image[-1, 0] == high).all()
    assert (image[0, 0] == low).all()


def test_local_matrices_are_separated_by_gaps() -> None:
    local = view_of(torch.eye(2).expand(100, 2, 2), "local")
    picture = layer_picture("title", [view_of(torch.eye(4)[None], "global"), local], [0.1, 0.2])
    image = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    panel = image[TOP : TOP + SIDE, LEFT + PANEL :][:, :SIDE]
    white = (panel == 255).all(-1)
    assert white.all(0).sum() == white.all(1).sum() == 3 * 8 + SIDE % 4  # a grid of 4 x 4


def test_a_matrix_that_is_too_large_is_not_drawn() -> None:
    def never(_which: slice) -> Tensor:
        raise AssertionError

    huge = MixingView(layer=0, kind="global", count=1, size=MAX_SIZE + 1, tau=1.0, rows=never)
    assert not is_drawable(huge)
    assert is_drawable(view_of(torch.eye(4)[None], "global"))
