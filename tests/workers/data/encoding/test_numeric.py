"""Moments, quantiles and scaling."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mixfront.data.encoding.numeric import Moments, NumericScaling, QuantileSample, signed_log


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)), st.integers(1, 7))
def test_moments_of_parts_are_those_of_the_whole(values: Any, parts: int) -> None:
    moments = Moments()
    for part in np.array_split(values, parts):
        moments.update(part)
    assert moments.count == len(values)
    assert moments.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-6)
    if values.std() > 1e-3:
        assert moments.deviation == pytest.approx(values.std(), rel=1e-6)


def test_moments_leave_nan_out_and_never_divide_by_zero() -> None:
    moments = Moments()
    moments.update(np.array([np.nan]))
    assert (moments.count, moments.deviation) == (0, 1.0)
    moments.update(np.array([5.0, np.nan, 5.0]))
    assert (moments.count, moments.mean, moments.deviation) == (2, 5.0, 1.0)


@given(st.lists(st.integers(0, 40), max_size=12))
def test_a_thinned_sample_keeps_every_kth_number(sizes: list[int]) -> None:
    sample = QuantileSample(limit=16)
    stream = np.arange(float(sum(sizes)))
    at = 0
    for size in sizes:
        sample.update(stream[at : at + size])
        at += size
    kept = sample._kept
    assert len(kept) <= 16
    np.testing.assert_array_equal(kept, stream[:: sample._stride])


def test_equal_quantiles_give_one_edge() -> None:
    sample = QuantileSample()
    sample.update(np.array([np.nan, *range(100)]))
    assert sample.edges(4) == (24.0, 49.0, 74.0)
    skewed = QuantileSample()
    skewed.update(np.array([0.0] * 90 + [1.0] * 10))
    assert skewed.edges(10) == (0.0,)
    assert QuantileSample().edges(4) == ()


def scaling(nulls: Literal["own", "mean", "zero"], log: bool = False) -> NumericScaling:
    return NumericScaling(feature="x", log=log, mean=2.0, deviation=4.0, clip=3.0, nulls=nulls)


def test_scaling_clips_and_treats_nulls_as_configured() -> None:
    values = np.array([2.0, 6.0, 1e9, -1e9, np.nan])
    np.testing.assert_array_equal(scaling("own").scale(values), [0, 1, 3, -3, np.nan])
    np.testing.assert_array_equal(scaling("mean").scale(values), [0, 1, 3, -3, 0])
    np.testing.assert_array_equal(scaling("zero").scale(values), [0, 1, 3, -3, -0.5])
    assert scaling("own").scale(values).dtype == np.float32


def test_the_logarithm_keeps_the_sign() -> None:
    np.testing.assert_allclose(signed_log(np.array([0.0, np.e - 1, 1 - np.e])), [0, 1, -1])
    assert scaling("own", log=True).scale(np.array([np.e**6 - 1]))[0] == pytest.approx(1.0)
