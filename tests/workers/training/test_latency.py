"""Latency by a clock that the scored rows turn."""

import itertools
from collections.abc import Callable

import pyarrow as pa
import pytest
import torch
from torch import Tensor

from mixfront.data import Batch, EncodedSplit, Encoder, open_dataset, open_split
from mixfront.training import DataRequest, latency
from mixfront.training.latency import (
    DISTINCT,
    LATENCIES,
    MAX_CALLS,
    MIN_CALLS,
    RAW_ROWS,
    WARM_UP,
    measure_latency,
)

Measure = Callable[["Turned", float], dict[str, float]]


class Turned:
    """A model and its clock: 1 ms for a row, 2 for a raw one, times the next of `factors`."""

    def __init__(self, *factors: float) -> None:
        self.now = 0.0
        self.sizes: list[int] = []
        self.tables: list[pa.Table] = []
        self._factors = itertools.cycle(factors)

    def perf_counter(self) -> float:
        return self.now

    def score(self, batch: Batch) -> Tensor:
        self.now += next(self._factors) * 1e-3 * len(batch.label)
        self.sizes.append(len(batch.label))
        return torch.zeros(len(batch.label))

    def predict(self, table: pa.Table) -> None:
        self.now += next(self._factors) * 2e-3 * len(table)
        self.tables.append(table)


@pytest.fixture
def split(data: DataRequest) -> EncodedSplit:
    return open_split(open_dataset(data.path), data.validation, Encoder.load(data.encoder))


@pytest.fixture
def raw(data: DataRequest) -> pa.Table:
    table: pa.Table = open_dataset(data.path).head(RAW_ROWS, data.validation, ["user_id"])
    return table


@pytest.fixture
def measured(split: EncodedSplit, raw: pa.Table, monkeypatch: pytest.MonkeyPatch) -> Measure:
    def measure(turned: Turned, seconds: float) -> dict[str, float]:
        monkeypatch.setattr(latency, "time", turned)
        return measure_latency(turned.score, turned.predict, split, raw, seconds=seconds)

    return measure


def test_milliseconds_by_batch_size(measured: Measure) -> None:
    turned = Turned(1.0)
    found = measured(turned, 2.0)
    assert tuple(found) == LATENCIES
    assert list(found.values()) == pytest.approx([1, 1, 512, 512, 2, 2, 1024, 1024])
    assert turned.sizes.count(512) == WARM_UP + MIN_CALLS  # half a second is over by then
    assert turned.sizes.count(1) == pytest.approx(500, abs=2)
    assert [len(table) for table in turned.tables].count(1) == pytest.approx(250, abs=2)


def test_raw_rows_take_turns_and_are_repeated_if_they_are_few(
    measured: Measure, raw: pa.Table
) -> None:
    turned = Turned(1.0)
    measured(turned, 1e9)
    one = [table["user_id"][0].as_py() for table in turned.tables if len(table) == 1]
    assert one[:DISTINCT] == raw["user_id"][:DISTINCT].to_pylist()
    assert one[DISTINCT] == one[0]
    many = pa.concat_tables([table for table in turned.tables if len(table) == 512][:DISTINCT])
    users = raw["user_id"].to_pylist()
    assert len(users) < RAW_ROWS
    repeated = itertools.islice(itertools.cycle(users), RAW_ROWS)
    assert many["user_id"].to_pylist() == list(repeated)


def test_calls_are_bounded_too(measured: Measure) -> None:
    turned = Turned(1.0)
    measured(turned, 1e9)
    assert len(turned.sizes) == len(turned.tables) == 2 * (WARM_UP + MAX_CALLS)


def test_p99_sees_what_the_median_does_not(measured: Measure) -> None:
    found = measured(Turned(*[1.0] * 39, 7.0), 1e9)
    assert found["latency_p50_ms_b1"] == pytest.approx(1.0)
    assert found["latency_p99_ms_b1"] == pytest.approx(7.0)
    assert found["latency_p99_ms_b512"] == pytest.approx(7.0 * 512)
    assert found["latency_raw_p50_ms_b1"] == pytest.approx(2.0)
    assert found["latency_raw_p99_ms_b512"] == pytest.approx(14.0 * 512)


def test_warming_up_is_not_counted(measured: Measure) -> None:
    factors = [100.0] * WARM_UP + [1.0] * MIN_CALLS
    found = measured(Turned(*factors), 0.0)
    assert list(found.values()) == pytest.approx([1, 1, 512, 512, 2, 2, 1024, 1024])
