"""A first schema from names and counts."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.inspection.profile import profile_column
from mixfront.data.inspection.propose import domain_of, propose_feature
from mixfront.data.schema import CategoricalFeature, NumericFeature, SequenceFeature


def propose(name: str, values: Any, share: str | None = None) -> Any:
    column = pa.chunked_array([pa.array(values)])
    return propose_feature(profile_column(name, column), len(column), share)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("user_id", "user"),
        ("user_active_degree", "user"),
        ("video_duration", "item"),
        ("tags", "item"),
        ("author_id", "item"),
        ("watch_seq", "behaviour"),
        ("tab", "context"),
        ("hour", "context"),
        ("x17", "other"),
    ],
)
def test_domains_by_name(name: str, domain: str) -> None:
    assert domain_of(name) == domain


def test_kinds_by_type_and_count() -> None:
    assert propose("x", ["a", "b"]) == CategoricalFeature(name="x", domain="other")
    assert propose("item_id", range(100)).kind == "categorical"
    assert propose("item", range(100)).kind == "categorical"
    assert propose("x", range(100)).kind == "numeric"
    assert propose("x", [1, 2, 1]).kind == "categorical"
    assert propose("age_days", range(14)).kind == "numeric"
    assert propose("x", [0.5, 0.25, 1.0]).kind == "numeric"


def test_rare_values_of_large_vocabularies_are_dropped() -> None:
    assert propose("item_id", [*range(2000)] * 3).min_count == 2
    assert propose("item_id", range(2000)).min_count == 1, "otherwise no value would be left"


def test_long_tails_get_a_logarithm() -> None:
    values = np.exp(np.random.default_rng(0).normal(0, 3, 1000))
    assert propose("price", values) == NumericFeature(name="price", domain="item", encoding="log")


def test_lists() -> None:
    assert propose("seen", [[1, 2, 3]] * 50, "item_id") == SequenceFeature(
        name="seen", domain="behaviour", length=3, share="item_id"
    )
    assert propose("seen", [list(range(500))]).length == 50


def test_constants_and_structures_do_not_become_features() -> None:
    assert propose("x", [1, 1]) is None
    assert propose("x", [{"a": 1}, {"a": 2}]) is None
