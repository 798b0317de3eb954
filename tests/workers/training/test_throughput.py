"""The peak is configured or measured, and FLOPs equal the cost model's."""

import pytest
import torch

from mixfront.data import FeatureLayout, FieldLayout
from mixfront.models import FAMILIES, build_ranker, count_cost, make_config
from mixfront.training import throughput
from mixfront.training.throughput import (
    PEAK_VARIABLE,
    peak_flops,
    training_flops,
    utilisation,
    vendor_peak,
)


def test_a_configured_peak_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    peak_flops.cache_clear()
    monkeypatch.setenv(PEAK_VARIABLE, "2e12")
    shares = utilisation(1e12, 2.0, device="cpu", precision="fp32", world_size=2)
    peak_flops.cache_clear()
    assert shares == {"mfu": pytest.approx(1e12 / 2 / 4e12)}


def test_a_known_gpu_is_also_compared_with_its_data_sheet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throughput, "peak_flops", lambda *_: 600e12)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    shares = utilisation(300e12, 1.0, device="cuda:0", precision="bf16", world_size=1)
    assert shares == {"mfu": 0.5, "mfu_vendor": pytest.approx(300 / 989)}
    assert vendor_peak("Tesla T4") is None


def test_a_measured_peak_is_plausible(monkeypatch: pytest.MonkeyPatch) -> None:
    peak_flops.cache_clear()
    monkeypatch.delenv(PEAK_VARIABLE, raising=False)
    peak = peak_flops("cpu", "fp32")
    peak_flops.cache_clear()
    assert 1e8 < peak < 1e15


@pytest.mark.parametrize("sequence_pool", ["mean", "target"])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_training_flops_equal_those_of_count_cost(family: str, sequence_pool: str) -> None:
    fields = tuple(FieldLayout(name=n, domain="any", kind="categorical") for n in "abcdef")
    history = FieldLayout(name="past", domain="any", kind="sequence", length=7, target="a")
    layout = FeatureLayout(fields=(*fields, history), num_rows=40, pad_rows=(0,))
    config = make_config(family, {"head_hidden": [32], "sequence_pool": sequence_pool})
    expected = count_cost(family, config, batch_size=100, layout=layout).training_flops(100)
    assert training_flops(family, build_ranker(family, config, layout), 100) == expected
