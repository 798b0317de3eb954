"""Counting values and looking them up."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.encoding.vocabulary import ValueCounter, Vocabulary


def count(*columns: Any, form: Any = "int64", **options: Any) -> list[Any]:
    counter = ValueCounter(form)
    for column in columns:
        counter.update(column)
    return list(
        counter.vocabulary(options.get("min_count", 1), options.get("max_size")).values.to_pylist()
    )


def test_most_frequent_first_ties_by_value() -> None:
    first, second = pa.array([5, 3, 3, None]), pa.array([9, 9, 3, 5, 1])
    assert count(first, second) == [3, 5, 9, 1]
    assert count(first, second, min_count=2) == [3, 5, 9]
    assert count(first, second, max_size=2) == [3, 5]


def test_parts_are_merged_when_they_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [pa.array(np.arange(50) % (i + 3)) for i in range(20)]
    expected = count(*columns)
    monkeypatch.setattr("mixfront.data.encoding.vocabulary._COMPACT_AT", 10)
    assert count(*columns) == expected


def test_ids_stored_as_floats_become_integers_again() -> None:
    assert count(pa.array([7.0, None, 7.0]), form="float32") == [7]
    assert count(pa.array([7.0, 0.5, 0.5]), form="float32") == [0.5, 7.0]


def test_nothing_counted() -> None:
    assert count(form="string") == []
    assert Vocabulary(pa.array([], pa.string())).index(pa.array(["a"])).tolist() == [-1]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([4, 2, 9]),  # close together: looked up in an array
        pa.array([-(2**62), 2, 2**62]),  # far apart: searched
        pa.array(["b", "", "a"]),
        pa.array([0.5, -1.0, 3.0], pa.float32()),
    ],
)
def test_the_index_is_the_position(values: Any) -> None:
    vocabulary = Vocabulary(values)
    assert vocabulary.index(values).tolist() == [0, 1, 2]
    assert vocabulary.index(pa.concat_arrays([values[2:], values[:1]])).tolist() == [2, 0]


def test_unknown_and_null_have_index_minus_1() -> None:
    assert Vocabulary(pa.array([4, 2])).index(pa.array([0, 3, 5, None, -(2**63)])).max() == -1
    far = Vocabulary(pa.array([-(2**62), 0, 2**62]))
    assert far.index(pa.array([1, None, 2**63 - 1])).tolist() == [-1, -1, -1]
    assert Vocabulary(pa.array(["a"])).index(pa.array(["b", None])).tolist() == [-1, -1]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("size", [5, 1500])  # a dict, Arrow, and hashes kept between calls
def test_texts_in_vocabularies_of_any_size(size: int, kind: Any) -> None:
    vocabulary = Vocabulary(pa.array([f"t{at * 7 % size}" for at in range(size)]))
    few = pa.array(["t0", None, "t3", "unknown", ""], kind)
    expected = [vocabulary.values.index(text).as_py() for text in ("t0", "t3")]
    assert vocabulary.index(few).tolist() == [expected[0], -1, expected[1], -1, -1]
    many = vocabulary.values.take(pa.array(np.arange(2000) % size)).cast(kind)
    assert vocabulary.index(many).tolist() == (np.arange(2000) % size).tolist()


def test_texts_with_equal_hashes_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mixfront.data.encoding.vocabulary._hashes", lambda texts: np.zeros(len(texts), np.int64)
    )
    vocabulary = Vocabulary(pa.array([f"t{at}" for at in range(1500)]))
    assert vocabulary.index(pa.array(["t7", "x", "t1499"])).tolist() == [7, -1, 1499]


def test_large_strings_are_counted_as_strings() -> None:
    texts = pa.array(["b", "a", "b"], pa.large_string())
    counter = ValueCounter("string")
    counter.update(texts)
    counter.update(texts.cast(pa.string()))
    assert counter.vocabulary(1, None).values.equals(pa.array(["b", "a"]))
