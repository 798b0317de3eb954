"""The table of monitoring metrics."""

import re

from mixfront.search.monitoring.table import METRICS


def test_names_are_valid_and_unique() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"mixfront_[a-z_]+[a-z]", name) for name in names)


def test_every_metric_has_the_searchs_name() -> None:
    assert all(metric.labels[0] == "search" for metric in METRICS)
    assert all(metric.description.endswith(".") for metric in METRICS)
