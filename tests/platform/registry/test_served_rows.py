"""The forms of rows that a registered model accepts."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mixfront.exceptions import SchemaError
from mixfront.registry.served_rows import served_rows

RECORDS: list[dict[str, Any]] = [
    {"id": 2**60 + 1, "seen": [1, 2], "tag": "a"},
    {"id": None, "seen": [], "tag": "b"},
]
COLUMNS = {"id": [2**60 + 1, None], "seen": [[1, 2], []], "tag": ["a", "b"]}


def as_records(rows: Any) -> list[dict[str, Any]]:
    frame = served_rows(rows)
    assert isinstance(frame, pd.DataFrame)
    records: list[dict[str, Any]] = frame.to_dict("records")
    return records


def test_tables_and_frames_are_unchanged() -> None:
    for rows in (pa.table({"id": [1]}), pd.DataFrame({"id": [1]})):
        assert served_rows(rows) is rows


def test_records_and_columns_keep_their_integers() -> None:
    assert as_records(RECORDS) == RECORDS
    assert as_records(COLUMNS) == RECORDS


def test_one_record() -> None:
    assert as_records(RECORDS[0]) == RECORDS[:1]
    assert as_records(RECORDS[1]) == RECORDS[1:]


def test_arrays_as_mlflow_reads_them_from_json() -> None:
    arrays = [{name: np.array(value) for name, value in record.items()} for record in RECORDS]
    assert as_records(arrays) == RECORDS
    assert as_records(arrays[0]) == RECORDS[:1]
    same_length = {"id": np.array([1, 2]), "seen": np.array([[1, 2], [3, 4]])}
    assert as_records(same_length) == [{"id": 1, "seen": [1, 2]}, {"id": 2, "seen": [3, 4]}]


def test_a_missing_key_is_null() -> None:
    [first, second] = as_records([{"id": 1, "tag": "a"}, {"id": 2}])
    assert first == {"id": 1, "tag": "a"}
    assert pd.isna(second["tag"])


@pytest.mark.parametrize("rows", [np.zeros((2, 2)), [1, 2], "id", 7, pd.Series([1])])
def test_anything_else_is_refused(rows: Any) -> None:
    with pytest.raises(SchemaError, match=f"the rows have the type {type(rows).__name__}; send"):
        served_rows(rows)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(SchemaError, match="the rows do not form a table"):
        served_rows({"id": [1, 2], "tag": ["a"]})
