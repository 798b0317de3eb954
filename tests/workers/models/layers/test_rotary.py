"""Rotary embeddings: what the dot product of query and key depends on."""

import math

import pytest
import torch
from torch import Tensor

from mixfront.models.layers.rotary import AgeRotary, PositionRotary, Rotary, make_rotary

AGES = torch.tensor([[0.0, 60.0, 180.0, 420.0, 3540.0, 0.0]])  # log2(1 + age / 60): 0 1 2 3 5.9 0


@pytest.fixture
def query_and_key() -> tuple[Tensor, Tensor]:
    """A query and a key, each the same at all 6 positions; D = 8."""
    generator = torch.Generator().manual_seed(2)
    query, key = torch.randn(2, 1, 1, 8, generator=generator).expand(-1, -1, 6, -1)
    return query, key


def scores(rotary: Rotary, query: Tensor, key: Tensor) -> Tensor:
    """Dot products in the first of two heads, (6, 6)."""
    rotated_query, rotated_key = rotary(query, key, AGES)
    product: Tensor = rotated_query[0, :, :4] @ rotated_key[0, :, :4].T
    return product


def test_scores_depend_only_on_the_distance_of_indices(
    query_and_key: tuple[Tensor, Tensor],
) -> None:
    rotary = PositionRotary(length=6, dim=8, num_heads=2)
    products = scores(rotary, *query_and_key)

    torch.testing.assert_close(rotary(*query_and_key)[0][:, 0], query_and_key[0][:, 0])
    for distance in range(-5, 6):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert not torch.allclose(products[0, 1], products[0, 0])


def test_scores_depend_only_on_the_distance_of_log_ages(
    query_and_key: tuple[Tensor, Tensor],
) -> None:
    products = scores(AgeRotary(60.0, dim=8, num_heads=2), *query_and_key)

    torch.testing.assert_close(products[0, 1], products[1, 2])  # 1 + age / 60 doubles in both
    torch.testing.assert_close(products[0, 2], products[1, 3])
    torch.testing.assert_close(products[0, 5], products[0, 0])  # indices do not matter
    assert not torch.allclose(products[0, 1], products[0, 2])
    assert not torch.allclose(products[1, 4], products[1, 3])


def test_the_angle_matches_the_formula() -> None:
    """Entries i and i + d / 2 rotate by log(1 + age / t) / 10000^(2i / d)."""
    rotary = AgeRotary(30.0, dim=4, num_heads=1)
    key = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    rotated, _ = rotary(key, key, torch.tensor([[90.0]]))
    fast, slow = math.log(4), math.log(4) / 100
    expected = [math.cos(fast), math.cos(slow), math.sin(fast), math.sin(slow)]
    torch.testing.assert_close(rotated, torch.tensor([[expected]]))


def test_rotary_by_name() -> None:
    names = {
        name: type(make_rotary(name, length=3, time_scale=1.0, dim=8, num_heads=2))
        for name in ("none", "rope", "rote")
    }
    assert names == {"none": type(None), "rope": PositionRotary, "rote": AgeRotary}
