"""Layouts and rows that the tests of models share."""

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout, FieldLayout


def field(name: str, kind: str, domain: str = "any") -> FieldLayout:
    return FieldLayout.model_validate({"name": name, "kind": kind, "domain": domain})


@pytest.fixture
def layout() -> FeatureLayout:
    """Fields of every kind, with domains that do not lie together."""
    return FeatureLayout(
        fields=(
            field("user_id", "categorical", "user"),
            field("item_id", "categorical", "item"),
            field("age", "numeric", "user"),
            field("history", "sequence", "sequence"),
            field("price", "numeric", "item"),
        ),
        num_rows=100,
        pad_rows=(0, 40),
    )


@pytest.fixture
def rows() -> tuple[Tensor, Tensor]:
    """Six rows of fields (N, F, E = 8) and numeric values, one of them null."""
    generator = torch.Generator().manual_seed(3)
    fields = torch.randn(6, 3, 8, generator=generator)
    numeric = torch.randn(6, 2, generator=generator)
    numeric[1, 0] = numeric[2, 1] = torch.nan
    return fields, numeric
