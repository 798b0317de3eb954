"""Formatting of values, configurations and fronts."""

import math

import pytest

from mixfront.pareto import front_of
from mixfront.pareto.formatting import (
    format_value,
    key_params,
    markdown_table,
    ordered_config,
    with_prefix,
)
from mixfront.records import SearchRecord, TrialRecord


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (999.0, "999"),
        (999_999.0, "1M"),
        (12_300_000, "12.3M"),
        (1e11, "100G"),
        (2.5e21, "2.5e+03E"),
        (math.inf, "inf"),
    ],
)
def test_numbers_get_three_digits_and_a_prefix(value: float, text: str) -> None:
    assert with_prefix(value) == text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("auc", 0.741251, "0.74125"),
        ("flops", 1e11, "100G"),
        ("latency_p99_ms_b1", 12.53, "12.5 ms"),
        ("samples_per_s", 12345.6, "12.3k"),
        ("auc", None, "-"),
        ("auc", math.nan, "-"),
    ],
)
def test_values_are_formatted_by_metric(metric: str, value: float | None, text: str) -> None:
    assert format_value(metric, value) == text


def test_a_configuration_in_short_and_in_full() -> None:
    config = {"optimizer.lr": 0.00123456, "family": "unimixer", "rank": 4, "num_tokens": 16}
    assert key_params(config) == "num_tokens=16 rank=4"
    assert ordered_config(config) == [
        ("num_tokens", "16"),
        ("rank", "4"),
        ("optimizer.lr", "0.001235"),
    ]


def test_patterns_come_before_sizes() -> None:
    config = {"num_tokens": 16, "local_pattern": "basis", "global_pattern": "fm"}
    assert key_params(config) == "global_pattern=fm local_pattern=basis num_tokens=16"


def test_the_front_as_markdown(search: SearchRecord, trials: list[TrialRecord]) -> None:
    front = front_of(trials[:2], search.objectives, search.reference_point)
    assert markdown_table(front).splitlines() == [
        "| trial | family | AUC | Training FLOPs | model |",
        "| --- | --- | --- | --- | --- |",
        "| 1 | unimixer | 0.72000 | 1G | num_tokens=16 |",
    ]
