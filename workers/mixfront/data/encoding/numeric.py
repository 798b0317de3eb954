"""Numeric features: moments and quantiles of the training rows, and scaling by them."""

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

Floats = np.ndarray[Any, np.dtype[np.float64]]


def signed_log(values: Floats) -> Floats:
    """sign(x) * log(1 + |x|): a logarithm that also accepts zero and negative numbers."""
    return np.sign(values) * np.log1p(np.abs(values))


class Moments:
    """Mean and variance of a stream, merged part by part (Chan et al., 1979); ignores NaN."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def update(self, values: Floats) -> None:
        """Add one part of the stream."""
        part = values[~np.isnan(values)]
        if not len(part):
            return
        mean, total = float(part.mean()), self.count + len(part)
        gap = mean - self.mean
        self._squares += float(np.square(part - mean).sum())
        self._squares += gap * gap * self.count * len(part) / total
        self.mean += gap * len(part) / total
        self.count = total

    @property
    def deviation(self) -> float:
        """The standard deviation; 1 if all values are equal, so that scaling by it is harmless."""
        spread = float(np.sqrt(self._squares / self.count)) if self.count else 0.0
        return spread if spread > 1e-12 * max(1.0, abs(self.mean)) else 1.0


class QuantileSample:
    """A deterministic sample: every k-th number of a stream, with k doubling as it grows."""

    def __init__(self, limit: int = 2_000_000) -> None:
        self._limit = limit
        self._stride = 1
        self._skip = 0
        self._kept: Floats = np.empty(0)

    def update(self, values: Floats) -> None:
        """Add one part of the stream; ignores NaN."""
        part = values[~np.isnan(values)]
        self._kept = np.concatenate([self._kept, part[self._skip :: self._stride]])
        self._skip = (self._skip - len(part)) % self._stride
        while len(self._kept) > self._limit:
            self._skip += self._stride * (len(self._kept) % 2)
            self._kept = self._kept[::2]
            self._stride *= 2

    def edges(self, buckets: int) -> tuple[float, ...]:
        """At most `buckets` - 1 inner edges at quantiles, without duplicates."""
        if not len(self._kept):
            return ()
        inner = np.quantile(self._kept, np.arange(1, buckets) / buckets, method="inverted_cdf")
        # no number is above an edge at the maximum, so the last bucket would never be trained
        return tuple(float(edge) for edge in np.unique(inner[inner < self._kept.max()]))


class NumericScaling(BaseModel):
    """How one numeric feature is scaled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str
    log: bool
    mean: float
    deviation: float
    clip: float
    nulls: Literal["own", "mean", "zero"]

    def scale(self, values: Floats) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Scale and clip float64 (N,) to float32 (N,); NaN where a null is kept."""
        if self.nulls == "zero":
            values = np.where(np.isnan(values), 0.0, values)
        logged = signed_log(values) if self.log else values
        scaled = np.clip((logged - self.mean) / self.deviation, -self.clip, self.clip)
        if self.nulls == "mean":
            scaled = np.where(np.isnan(scaled), 0.0, scaled)
        return scaled.astype(np.float32)
