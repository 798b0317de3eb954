"""Layout and rows shared by the tests of models."""

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout, FieldLayout


def field(name: str, kind: str, domain: str = "any", **options: object) -> FieldLayout:
    return FieldLayout.model_validate({"name": name, "kind": kind, "domain": domain, **options})


@pytest.fixture
def layout() -> FeatureLayout:
    """Fields of every kind, not sorted by domain."""
    return FeatureLayout(
        fields=(
            field("user_id", "categorical", "user"),
            field("item_id", "categorical", "item"),
            field("age", "numeric", "user"),
            field("history", "sequence", "sequence", length=5, target="item_id", timed=True),
            field("price", "numeric", "item"),
        ),
        num_rows=100,
        pad_rows=(0, 40),
    )


@pytest.fixture
def rows() -> tuple[Tensor, ...]:
    """Six rows: fields (N, F, E = 8), numeric values, events, their mask and ages.

    Two numeric values are null. The histories have 5, 1, 0, 3, 5 and 2 events, padded with random
    values that must have no effect. Ages range from a minute to a month.
    """
    generator = torch.Generator().manual_seed(3)
    fields = torch.randn(6, 3, 8, generator=generator)
    numeric = torch.randn(6, 2, generator=generator)
    numeric[1, 0] = numeric[2, 1] = torch.nan
    events = torch.randn(6, 5, 8, generator=generator)
    mask = torch.arange(5) < torch.tensor([5, 1, 0, 3, 5, 2])[:, None]
    ages = 10 ** (1.8 + 4.6 * torch.rand(6, 5, generator=generator)) * mask
    return fields, numeric, events, mask, ages
