"""A picture of the mixing in one layer: its global matrix and some of its local ones."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mixfront.models.mixing.view import MixingView
from mixfront.training.diagnostics.sparsity import sparsity
from mixfront.training.pictures.canvas import TITLE, Canvas

SIDE = 512  # pixels of a matrix; larger ones are max-pooled to keep large entries visible
MAX_LOCAL = 16  # local matrices shown
MAX_SIZE = 8192  # of a global matrix to draw, which then has at most 64 M entries
GAP = 8  # between local matrices
LEFT, TOP, PANEL = 28, 124, SIDE + 130  # of the first panel, and distance between panels


def layer_picture(title: str, views: Sequence[MixingView], moved: Sequence[float]) -> bytes:
    """PNG of the panels of one layer, side by side.

    Args:
        title: Title of the picture.
        views: The views of the layer.
        moved: How far each view's matrices are from where they started.
    """
    canvas = Canvas(LEFT + PANEL * len(views), TOP + SIDE + 44)
    canvas.text((LEFT, 22), title, size=TITLE)
    for position, (view, distance) in enumerate(zip(views, moved, strict=True)):
        at = (float(LEFT + PANEL * position), float(TOP))
        support, peak = sparsity(view)
        canvas.text((at[0], TOP - 56), _headline(view))
        canvas.text(
            (at[0], TOP - 32),
            f"effective support {support:.3g} of {view.size}, largest share {peak:.2g}, "
            f"moved by {distance:.2g} (means)",
        )
        _panel(canvas, at, view)
        canvas.text((at[0] + SIDE / 2, TOP + SIDE + 12), _caption(view), anchor="ma")
    return canvas.png()


def pooled(rows: Tensor, factor: int) -> NDArray[np.float32]:
    """Max-pooled entries, in squares of `factor` x `factor`: (k, m) -> (k / f, m / f)."""
    values: NDArray[np.float32] = F.max_pool2d(rows[None], factor, ceil_mode=True)[0].cpu().numpy()
    return values


def is_drawable(view: MixingView) -> bool:
    """Whether the matrix is small enough to be drawn."""
    return view.size <= MAX_SIZE


def _headline(view: MixingView) -> str:
    if view.kind == "global":
        return f"global matrix, {view.size} x {view.size}"
    num_shown = min(MAX_LOCAL, view.count)
    selection = (
        "one for all blocks" if view.count == 1 else f"{num_shown} of {view.count}, evenly spaced"
    )
    return f"local matrices, {view.size} x {view.size}: {selection}"


def _caption(view: MixingView) -> str:
    if view.kind == "global":
        factor = _factor(view.size, SIDE)
        pooling = f" (each pixel is the maximum of {factor} x {factor})" if factor > 1 else ""
        return f"row: output block, column: input block{pooling}"
    return "row: input entry, column: output entry"  # h = x W


def _panel(canvas: Canvas, at: tuple[float, float], view: MixingView) -> None:
    if view.kind == "global":
        values = _whole_matrix(view)
        canvas.heat(at, SIDE, values, float(values.max()))
        canvas.colour_bar(at, SIDE, float(values.max()))
        return
    matrices = _sample(view)
    top = max(float(matrix.max()) for matrix in matrices)
    per_side = math.ceil(math.sqrt(len(matrices)))
    cell = (SIDE - GAP * (per_side - 1)) // per_side
    for position, matrix in enumerate(matrices):
        row, column = divmod(position, per_side)
        corner = at[0] + column * (cell + GAP), at[1] + row * (cell + GAP)
        canvas.heat(corner, cell, matrix, top)
    canvas.colour_bar(at, SIDE, top)


def _whole_matrix(view: MixingView) -> NDArray[np.float32]:
    """The pooled matrix, built a few rows at a time."""
    factor = _factor(view.size, SIDE)
    stride = 64 * factor
    starts = range(0, view.size, stride)
    return np.concatenate(
        [pooled(view.rows(slice(start, start + stride))[0], factor) for start in starts]
    )


def _sample(view: MixingView) -> list[NDArray[np.float32]]:
    chosen = np.linspace(0, view.count - 1, min(MAX_LOCAL, view.count)).round().astype(int)
    whole = view.rows(slice(None))
    factor = _factor(view.size, SIDE // math.ceil(math.sqrt(len(chosen))))
    return [pooled(whole[int(index)], factor) for index in chosen]


def _factor(size: int, pixels: int) -> int:
    return -(-size // pixels)
