"""The table of metrics, against what workers report and what people read."""

import pytest

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.models import count_cost, make_config
from mixfront.spec.metrics import METRICS, STEERING, Known, describe_metric, get_metric
from mixfront.training.latency import LATENCIES
from mixfront.training.metrics import METRICS as RANKING_METRICS

COSTS = ["params", "params_total", "flops", "flops_per_sample", "activation_mb"]


def names(known: Known) -> list[str]:
    return [name for name, metric in METRICS.items() if metric.known is known]


def test_costs_before_training_are_those_that_are_counted() -> None:
    config = make_config("rankmixer", {"num_tokens": 2, "token_dim": 4})
    counted = count_cost("rankmixer", config, batch_size=2, activations=True).metrics()
    assert names(Known.BEFORE_TRAINING) == COSTS == list(counted)


def test_latencies_are_those_that_a_trial_measures() -> None:
    assert tuple(names(Known.AT_THE_END)) == LATENCIES


def test_qualities_are_those_that_an_evaluation_computes() -> None:
    assert tuple(names(Known.AT_EVALUATIONS))[: len(RANKING_METRICS)] == RANKING_METRICS


def test_what_may_steer() -> None:
    assert set(STEERING) == {*RANKING_METRICS, *COSTS, *LATENCIES, "samples_per_s"}


@pytest.mark.parametrize("name", [*COSTS, *LATENCIES])
def test_costs_span_decades_and_are_better_small(name: str) -> None:
    metric = METRICS[name]
    assert metric.is_cost
    assert metric.direction == "min"
    assert metric.scaled(1e9) == 9.0


def test_throughput_spans_decades_and_is_not_a_cost() -> None:
    assert not METRICS["samples_per_s"].is_cost
    assert METRICS["samples_per_s"].scaled(1e4) == 4.0


def test_quality_is_compared_as_it_is() -> None:
    assert METRICS["auc"].scaled(0.7) == 0.7
    assert (METRICS["auc"].direction, METRICS["logloss"].direction) == ("max", "min")


def test_a_cost_of_zero_stays_finite() -> None:
    assert METRICS["flops"].scaled(0.0) == -12.0


def test_every_row_has_words_for_people() -> None:
    assert all(metric.label and metric.help for metric in METRICS.values())
    assert METRICS["flops"].title == "Training FLOPs (per 2,048 samples)"
    assert METRICS["auc"].title == "AUC"


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown metric 'flop': did you mean 'flops'"):
        get_metric("flop")


@pytest.mark.parametrize("name", ["train_loss", "mfu", "mixing/*_peak_layer*"])
def test_a_metric_that_is_only_reported_cannot_steer(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown metric"):
        get_metric(name)


def test_the_test_split_decides_nothing() -> None:
    with pytest.raises(SpecError, match=r"'test_auc' cannot steer a search.*use 'auc'"):
        get_metric("test_auc")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("test_auc", "auc"),
        ("mixing/global_peak_layer0", "mixing/*_peak_layer*"),
        ("mfu", "mfu"),
    ],
)
def test_any_reported_metric_has_a_row(name: str, row: str) -> None:
    assert describe_metric(name) is METRICS[row]


def test_a_metric_of_another_version_is_described_plainly() -> None:
    found = describe_metric("ndcg")
    assert (found.label, found.direction, found.steers) == ("ndcg", "max", False)
