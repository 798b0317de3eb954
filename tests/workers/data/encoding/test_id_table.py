"""Rows of one embedding table."""

import pyarrow as pa

from mixfront.data.encoding.id_table import IdTable, TableState
from mixfront.data.encoding.vocabulary import Vocabulary


def test_vocabulary_rows_come_after_the_reserved_ones() -> None:
    state = TableState(feature="x", kind="vocabulary", form="int64", size=2, offset=100)
    table = IdTable(state, Vocabulary(pa.array([40, 20])))
    assert (table.pad_row, state.num_rows) == (100, 5)
    assert table.rows(pa.array([40, 20, 7, None])).tolist() == [103, 104, 101, 102]
    assert table.rows(pa.array(["20", "seven"])).tolist() == [104, 101]


def test_null_as_unknown() -> None:
    state = TableState(
        feature="x", kind="vocabulary", form="int64", size=1, offset=0, null_row="unknown"
    )
    assert IdTable(state, Vocabulary(pa.array([4]))).rows(pa.array([None, 4])).tolist() == [1, 3]


def test_hash_rows_stay_within_the_buckets() -> None:
    state = TableState(feature="x", kind="hash", form="string", size=10, offset=50)
    rows = IdTable(state, None).rows(pa.array([*(f"u{i}" for i in range(500)), None]))
    assert set(rows[:-1]) == set(range(53, 63))
    assert rows[-1] == 52


def test_bucket_rows() -> None:
    state = TableState(
        feature="x", kind="buckets", form="float32", size=3, offset=0, edges=(1.0, 5.0)
    )
    table = IdTable(state, None)
    assert table.rows(pa.array([-9.0, 1.0, 1.5, 5.0, 99.0, None])).tolist() == [3, 3, 4, 4, 5, 2]
    filled = IdTable(state.model_copy(update={"fill": 2.0}), None)
    assert filled.rows(pa.array([None], pa.float64())).tolist() == [4]
