"""Columns that leak the label: other outcomes of the impression, or the label itself."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mixfront.data.auc import auc
from mixfront.data.encoding.canonical import canonical, form_of
from mixfront.data.inspection.profile import ColumnProfile

LEAK_AUC = 0.95
_OUTCOME = re.compile(
    r"(^|_)(click|clicked|clk|like|liked|view|viewed|buy|bought|purchase|purchased|order|ordered"
    r"|convert|conversion|cvr|pay|paid|forward|comment|share|shared|hate|dislike|finish|finished"
    r"|label|target|reward)(_|$)",
    re.IGNORECASE,
)
_AFTERWARDS = re.compile(
    r"(play|watch|stay|dwell|view|read|profile_stay|comment_stay)_?(time|duration|ms|seconds)",
    re.IGNORECASE,
)

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class LabelSignal:
    """How well one column alone predicts the label."""

    auc: float  # max(a, 1 - a) of the label's rate per value, learned on other rows
    purity: float | None  # binary columns: the largest share of one label among rows of one value

    @property
    def leaks(self) -> bool:
        """Whether the AUC is too high for a column that is known before the outcome."""
        return self.auc > LEAK_AUC


def looks_like_outcome(profile: ColumnProfile) -> bool:
    """Whether a column's name and values suggest that it is known only after the impression."""
    if profile.shape != "number":
        return False
    return (profile.binary and bool(_OUTCOME.search(profile.name))) or bool(
        _AFTERWARDS.search(profile.name)
    )


def label_signal(profile: ColumnProfile, column: Any, label: Array) -> LabelSignal | None:
    """How well a column predicts the label; None for constants, lists and structures.

    The label's rate per value (per quantile for numbers with many values) is learned on even
    rows and scored on odd rows, and vice versa, so that ids that occur once predict nothing.

    Args:
        profile: Profile of the column.
        column: `pyarrow.ChunkedArray` (N,).
        label: (N,) 0 or 1.
    """
    if profile.shape not in ("number", "text") or profile.constant:
        return None
    codes = _codes(profile, column)
    even = np.arange(len(label)) % 2 == 0
    scores = np.empty(len(label))
    for learn, score in ((even, ~even), (~even, even)):
        scores[score] = _rates(codes[learn], label[learn], int(codes.max()) + 1)[codes[score]]
    mean_auc = float(np.mean([auc(scores[half], label[half]) for half in (even, ~even)]))
    if np.isnan(mean_auc):
        return None
    return LabelSignal(max(mean_auc, 1 - mean_auc), _purity(profile, codes, label))


def _codes(profile: ColumnProfile, column: Any) -> Array:
    """Small integers for values, or for quantile buckets of numbers with many values."""
    values = canonical(column, form_of(column.type, profile.name)).values
    if profile.shape == "number" and profile.distinct > 1000:
        flat = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        edges = np.unique(np.nanquantile(flat, np.linspace(0, 1, 101)[1:-1]))
        return np.where(np.isnan(flat), len(edges) + 1, np.searchsorted(edges, flat))
    coded = values.dictionary_encode()
    count = len(coded.dictionary)
    return np.asarray(coded.indices.fill_null(count).to_numpy(zero_copy_only=False), np.int64)


def _rates(codes: Array, label: Array, size: int) -> Array:
    """Share of positives per code, smoothed towards the overall share by 5 pseudo-rows."""
    positives = np.bincount(codes, weights=label, minlength=size)
    rates: Array = (positives + 5 * label.mean()) / (np.bincount(codes, minlength=size) + 5)
    return rates


def _purity(profile: ColumnProfile, codes: Array, label: Array) -> float | None:
    if not profile.binary:
        return None
    shares = [label[codes == code].mean() for code in np.unique(codes)]
    return float(max(max(share, 1 - share) for share in shares))
