"""The table of metrics, compared with what workers report."""

import pytest

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.models import count_cost, make_config
from mixfront.spec.metrics import (
    METRICS,
    OPTIMIZABLE,
    Availability,
    describe_metric,
    get_metric,
)
from mixfront.training.latency import LATENCIES
from mixfront.training.metrics import METRICS as RANKING_METRICS

COSTS = ["params", "params_total", "flops", "flops_per_sample", "activation_mb"]


def names(available: Availability) -> list[str]:
    return [name for name, metric in METRICS.items() if metric.available is available]


def test_costs_before_training_are_exactly_the_counted_costs() -> None:
    config = make_config("rankmixer", {"num_tokens": 2, "token_dim": 4})
    counted = count_cost("rankmixer", config, batch_size=2, activations=True).metrics()
    assert names(Availability.BEFORE_TRAINING) == COSTS == list(counted)


def test_latencies_are_exactly_those_that_a_trial_measures() -> None:
    assert tuple(names(Availability.AFTER_TRAINING)) == LATENCIES


def test_quality_metrics_are_exactly_those_that_an_evaluation_computes() -> None:
    assert tuple(names(Availability.AT_EVALUATIONS))[: len(RANKING_METRICS)] == RANKING_METRICS


def test_quality_costs_latency_and_throughput_are_optimizable() -> None:
    assert set(OPTIMIZABLE) == {*RANKING_METRICS, *COSTS, *LATENCIES, "samples_per_s"}


@pytest.mark.parametrize("name", [*COSTS, *LATENCIES])
def test_costs_are_minimised_on_a_log_scale(name: str) -> None:
    metric = METRICS[name]
    assert metric.is_cost
    assert metric.direction == "min"
    assert metric.scaled(1e9) == 9.0


def test_throughput_has_a_log_scale_and_is_not_a_cost() -> None:
    assert not METRICS["samples_per_s"].is_cost
    assert METRICS["samples_per_s"].scaled(1e4) == 4.0


def test_quality_is_not_scaled() -> None:
    assert METRICS["auc"].scaled(0.7) == 0.7
    assert (METRICS["auc"].direction, METRICS["logloss"].direction) == ("max", "min")


def test_the_logarithm_of_a_zero_cost_is_finite() -> None:
    assert METRICS["flops"].scaled(0.0) == -12.0


def test_every_metric_has_a_label_and_help() -> None:
    assert all(metric.label and metric.help for metric in METRICS.values())
    assert METRICS["flops"].title == "Training FLOPs (per 2,048 samples)"
    assert METRICS["auc"].title == "AUC"


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown metric 'flop': did you mean 'flops'"):
        get_metric("flop")


@pytest.mark.parametrize("name", ["train_loss", "mfu", "mixing/*_peak_layer*"])
def test_a_metric_that_is_only_reported_cannot_be_an_objective(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown metric"):
        get_metric(name)


def test_a_metric_of_the_test_split_cannot_be_an_objective() -> None:
    with pytest.raises(SpecError, match=r"'test_auc' cannot be an objective.*use 'auc'"):
        get_metric("test_auc")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("test_auc", "auc"),
        ("mixing/global_peak_layer0", "mixing/*_peak_layer*"),
        ("experts/mix_ffn_share2_layer0", "experts/*_share*_layer*"),
        ("mfu", "mfu"),
    ],
)
def test_every_reported_metric_has_a_row(name: str, row: str) -> None:
    assert describe_metric(name) is METRICS[row]


def test_a_metric_of_another_version_gets_a_default_row() -> None:
    metric = describe_metric("ndcg")
    assert (metric.label, metric.direction, metric.is_optimizable) == ("ndcg", "max", False)
