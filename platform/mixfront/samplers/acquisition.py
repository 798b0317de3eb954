"""Expected hypervolume gain of a candidate whose costs are known before it is trained.

One objective, the value (AUC), is uncertain: Gaussian with mean mu and standard deviation sigma.
The costs (FLOPs, parameters) are functions of the configuration, so they are exact. Let f(c) be
the best value among the trained points of cost at most c, and r the reference value where there
is none. A candidate of costs u and value y adds the hypervolume

    integral over u <= c <= U of max(0, y - f(c)) dc

below the reference costs U. f is constant on the cells of the grid through the points' costs, so
its expectation over y is the sum, over the cells, of volume x expected improvement over f, in
closed form. With one cost this is Sum_j max(0, u_{j+1} - max(u_j, u)) sigma (phi(z_j) + z_j
Phi(z_j)), z_j = (mu - f_j) / sigma.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Array = npt.NDArray[np.float64]

MAX_CELLS = 2_000_000  # of all candidates of a chunk together: 16 MB


@dataclass(frozen=True)
class FrontLevels:
    """The best value at every cost, as a step function.

    Attributes:
        edges: Per cost, where steps can begin, ascending: -inf, the points' costs, U.
        levels: Different values of f, ascending (k,).
        cells: Index into `levels` of every cell, in C order (cells,).
    """

    edges: tuple[Array, ...]
    levels: Array
    cells: npt.NDArray[np.intp]

    @classmethod
    def of_points(
        cls, costs: Array, values: Array, reference_costs: Array, reference_value: float
    ) -> "FrontLevels":
        """Of trained points, which may be dominated, tied, or beyond the reference.

        Args:
            costs: (n, d), in the scale in which the hypervolume is measured, such as log10.
            values: (n,), to maximise.
            reference_costs: U, (d,).
            reference_value: r.
        """
        counts = (costs < reference_costs).all(axis=1) & (values > reference_value)
        costs, values = costs[counts], values[counts]
        starts = tuple(np.concatenate([[-np.inf], np.unique(axis)]) for axis in costs.T)
        best = np.full([len(axis) for axis in starts], reference_value)
        position = tuple(
            np.searchsorted(axis, cost) for axis, cost in zip(starts, costs.T, strict=True)
        )
        np.maximum.at(best, position, values)
        for axis in range(best.ndim):
            best = np.maximum.accumulate(best, axis=axis)
        levels, cells = np.unique(best, return_inverse=True)
        edges = tuple(
            np.append(axis, end) for axis, end in zip(starts, reference_costs, strict=True)
        )
        return cls(edges, levels, cells.reshape(-1))

    def volumes(self, costs: Array) -> Array:
        """Volume of {c : u <= c <= U, f(c) = level} for candidates' costs u: (m, d) -> (m, k)."""
        sizes = [
            np.clip(edges[1:] - np.maximum(edges[:-1], column[:, None]), 0.0, None)
            for edges, column in zip(self.edges, costs.T, strict=True)
        ]
        volumes = np.zeros((len(costs), len(self.levels)))
        step = max(1, MAX_CELLS // len(self.cells))
        member = np.zeros((len(self.cells), len(self.levels)))
        member[np.arange(len(self.cells)), self.cells] = 1.0
        for start in range(0, len(costs), step):
            cells = np.ones((len(costs[start : start + step]), 1))
            for size in sizes:
                chunk = size[start : start + step]
                cells = (cells[:, :, None] * chunk[:, None, :]).reshape(len(chunk), -1)
            volumes[start : start + step] = cells @ member
        return volumes


def expected_improvement(mean: Array, deviation: Array, level: Array) -> Array:
    """E max(0, y - level) of y ~ N(mean, deviation^2); max(0, mean - level) without deviation."""
    gain = mean - level
    safe = np.where(deviation > 0, deviation, 1.0)
    z = gain / safe
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    uncertain = np.clip(safe * density + gain * ndtr(z), 0.0, None)
    return np.where(deviation > 0, uncertain, np.clip(gain, 0.0, None))


def expected_gain(front: FrontLevels, costs: Array, mean: Array, deviation: Array) -> Array:
    """Expected hypervolume gain of candidates.

    Args:
        front: The points trained so far.
        costs: u, (m, d).
        mean: mu, (m,).
        deviation: sigma, (m,), 0 where the value is certain.

    Returns:
        (m,); 0 for a candidate that costs as much as the reference, or more.
    """
    improvement = expected_improvement(mean[:, None], deviation[:, None], front.levels)
    gain: Array = (front.volumes(costs) * improvement).sum(axis=1)
    return gain
