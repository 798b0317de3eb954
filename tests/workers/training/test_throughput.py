"""The peak is given or measured."""

import pytest

from mixfront.training.throughput import PEAK_VARIABLE, mfu, peak_flops


def test_a_given_peak_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    peak_flops.cache_clear()
    monkeypatch.setenv(PEAK_VARIABLE, "2e12")
    found = mfu(1e12, 2.0, device="cpu", precision="fp32", world_size=2)
    peak_flops.cache_clear()
    assert found == pytest.approx(1e12 / 2 / 4e12)


def test_a_measured_peak_is_plausible(monkeypatch: pytest.MonkeyPatch) -> None:
    peak_flops.cache_clear()
    monkeypatch.delenv(PEAK_VARIABLE, raising=False)
    found = peak_flops("cpu", "fp32")
    peak_flops.cache_clear()
    assert 1e8 < found < 1e15
