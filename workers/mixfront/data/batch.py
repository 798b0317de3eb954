"""Batches of encoded rows, and the layout of their fields."""

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

PAD, UNKNOWN, NULL = 0, 1, 2  # the first three rows of every table; row PAD is always zero
RESERVED_ROWS = 3


class FieldLayout(BaseModel):
    """One input field; field embeddings are concatenated in the order of the layout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    domain: str
    kind: Literal["categorical", "numeric", "sequence"]
    length: int = 1  # of a sequence, after truncation
    timed: bool = False  # a sequence whose events have ages
    target: str | None = None  # the categorical field whose table a behaviour sequence shares


class FeatureLayout(BaseModel):
    """What a model needs to know about encoded data.

    The embedding tables of all fields are concatenated into one fused table of `num_rows` rows;
    encoded ids are its row numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: tuple[FieldLayout, ...]
    num_rows: int
    pad_rows: tuple[int, ...]  # the PAD row of every table: always zero, never trained

    def of_kind(self, kind: str) -> list[FieldLayout]:
        """The fields of one kind, in order."""
        return [field for field in self.fields if field.kind == kind]

    def num_ages(self) -> int:
        """Total length of all timed sequences."""
        return sum(field.length for field in self.fields if field.timed)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One rank's rows of one global batch.

    N rows, C categorical and M numeric fields. All sequences are concatenated into one tensor of
    width S, the sum of their lengths in `FeatureLayout`, and the ages of the timed ones into
    another, of width A. Padded rows have weight 0.
    """

    ids: Tensor  # (N, C) int64, rows of the fused table
    numeric: Tensor  # (N, M) float32, scaled; NaN where null
    sequences: Tensor  # (N, S) int64, padded with the PAD row
    ages: Tensor  # (N, A) float32, seconds from each event to its row, padded with 0
    label: Tensor  # (N,) float32, 0 or 1
    user: Tensor  # (N,) int64, group for UAUC
    weight: Tensor  # (N,) float32, 1 for a row, 0 for padding
    global_weight: float  # sum of `weight` over all ranks

    def to(self, device: str) -> "Batch":
        """The same batch on another device."""
        return replace(
            self,
            ids=self.ids.to(device),
            numeric=self.numeric.to(device),
            sequences=self.sequences.to(device),
            ages=self.ages.to(device),
            label=self.label.to(device),
            user=self.user.to(device),
            weight=self.weight.to(device),
        )
