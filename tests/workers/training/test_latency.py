"""Latency by a clock that the scored rows turn."""

import itertools

import pytest
import torch
from torch import Tensor

from mixfront.data import Batch, EncodedSplit, Encoder, open_dataset, open_split
from mixfront.training import DataRequest, latency
from mixfront.training.latency import LATENCIES, MAX_CALLS, MIN_CALLS, WARM_UP, measure_latency


class Turned:
    """A scorer and its clock. Calls take 1 ms a row, times the next of `factors`."""

    def __init__(self, *factors: float) -> None:
        self.now = 0.0
        self.sizes: list[int] = []
        self._factors = itertools.cycle(factors)

    def perf_counter(self) -> float:
        return self.now

    def __call__(self, batch: Batch) -> Tensor:
        self.now += next(self._factors) * 1e-3 * len(batch.label)
        self.sizes.append(len(batch.label))
        return torch.zeros(len(batch.label))


@pytest.fixture
def split(data: DataRequest) -> EncodedSplit:
    return open_split(open_dataset(data.path), data.validation, Encoder.load(data.encoder))


def measured(
    turned: Turned, split: EncodedSplit, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> dict[str, float]:
    monkeypatch.setattr(latency, "time", turned)
    return measure_latency(turned, split, seconds=seconds)


def test_milliseconds_by_batch_size(split: EncodedSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Turned(1.0)
    found = measured(turned, split, 1.0, monkeypatch)
    assert tuple(found) == LATENCIES
    assert list(found.values()) == pytest.approx([1.0, 1.0, 512.0, 512.0])
    assert turned.sizes.count(512) == WARM_UP + MIN_CALLS  # half a second is over by then
    assert turned.sizes.count(1) == pytest.approx(500, abs=2)


def test_calls_are_bounded_too(split: EncodedSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = Turned(1.0)
    measured(turned, split, 1e9, monkeypatch)
    assert len(turned.sizes) == 2 * (WARM_UP + MAX_CALLS)


def test_p99_sees_what_the_median_does_not(
    split: EncodedSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = measured(Turned(*[1.0] * 39, 7.0), split, 1e9, monkeypatch)
    assert found["latency_p50_ms_b1"] == pytest.approx(1.0)
    assert found["latency_p99_ms_b1"] == pytest.approx(7.0)
    assert found["latency_p99_ms_b512"] == pytest.approx(7.0 * 512)


def test_warming_up_is_not_counted(split: EncodedSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = [100.0] * WARM_UP + [1.0] * MIN_CALLS
    found = measured(Turned(*factors), split, 0.0, monkeypatch)
    assert list(found.values()) == pytest.approx([1.0, 1.0, 512.0, 512.0])
