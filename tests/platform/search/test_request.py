"""The request that a lane gets for one trial."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ({}, 0.2),
        ({"constraints": {"latency_p99_ms_b1": "<= 5"}}, 0.5),
        ({"objectives": ["auc", "latency_p50_ms_b512"]}, 0.5),
    ],
)
def test_a_decisive_latency_is_measured_longer(
    make_driver: Any, parts: dict[str, object], seconds: float
) -> None:
    config = make_driver(**parts).searcher.suggest("tune_0")
    assert config["request"]["latency_seconds"] == seconds
