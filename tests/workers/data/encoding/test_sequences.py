"""Lists as rectangles of ids."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.encoding.id_table import IdTable, TableState
from mixfront.data.encoding.sequences import cut_lists, encode_sequence, items_of
from mixfront.data.encoding.vocabulary import Vocabulary
from mixfront.exceptions import SchemaError

TABLE = IdTable(
    TableState(feature="x", kind="vocabulary", form="int64", size=4, offset=10),
    Vocabulary(pa.array([1, 2, 3, 4])),
)
LISTS = [[1, 2, 3, 4], [], None, [9, None], [2]]


def test_the_last_items_are_kept_in_order() -> None:
    rows = encode_sequence(pa.array(LISTS), "s", TABLE, 3, "last")
    assert rows.tolist() == [[14, 15, 16], [10] * 3, [10] * 3, [11, 12, 10], [14, 10, 10]]


def test_the_first_items_are_kept_in_order() -> None:
    rows = encode_sequence(pa.array(LISTS), "s", TABLE, 3, "first")
    assert rows[0].tolist() == [13, 14, 15]
    assert (
        rows[1:].tolist() == encode_sequence(pa.array(LISTS[1:]), "s", TABLE, 3, "last").tolist()
    )


def test_nothing_is_cut_where_no_list_is_too_long() -> None:
    cut = cut_lists(np.array([2, 0, 1]), 3, "last")
    assert cut.items is None
    assert cut.spread(cut.kept(np.array([5, 6, 7])), 0).tolist() == [[5, 6, 0], [0] * 3, [7, 0, 0]]


def test_values_of_the_items_are_cut_like_the_items() -> None:
    cut = cut_lists(np.array([4, 0, 2]), 3, "last")
    values = np.array([0.5, 1.5, 2.5, 3.5, 8.5, 9.5], np.float32)
    spread = cut.spread(cut.kept(values), -1)
    assert spread.dtype == np.float32
    assert spread.tolist() == [[1.5, 2.5, 3.5], [-1, -1, -1], [8.5, 9.5, -1]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(LISTS, pa.large_list(pa.int32())),
        pa.array([[0, 0], *LISTS])[1:],
        pa.chunked_array([pa.array(LISTS[:2]), pa.array(LISTS[2:], pa.list_(pa.int64()))]),
        pa.array([None if v is None else [x and float(x) for x in v] for v in LISTS]),
        pa.array(LISTS, pa.list_view(pa.int64())),
    ],
)
def test_every_way_to_write_a_list(column: Any) -> None:
    expected = encode_sequence(pa.array(LISTS), "s", TABLE, 3, "last")
    assert encode_sequence(column, "s", TABLE, 3, "last").tolist() == expected.tolist()


def test_only_nulls_and_only_empty_lists() -> None:
    for column in (pa.nulls(2), pa.array([[], []]), pa.array([[], None], pa.list_(pa.int8()))):
        assert encode_sequence(column, "s", TABLE, 2, "last").tolist() == [[10, 10]] * 2
    assert encode_sequence(pa.array([], pa.list_(pa.int8())), "s", TABLE, 2, "last").shape == (
        0,
        2,
    )


def test_fixed_size_lists() -> None:
    column = pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2))
    assert encode_sequence(column, "s", TABLE, 1, "last").tolist() == [[14], [10], [16]]


def test_a_column_without_lists_is_refused() -> None:
    with pytest.raises(SchemaError, match="'s' is a sequence but its column holds int64"):
        items_of(pa.array([1]), "s")


def test_items_that_cannot_be_ids_are_refused_by_the_sequences_name() -> None:
    with pytest.raises(SchemaError, match="the feature 's' is categorical but"):
        encode_sequence(pa.array([[[1]]]), "s", TABLE, 2, "last")
