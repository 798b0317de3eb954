"""What callers may hand to a registered model."""

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


def listed(given: Any) -> list[dict[str, Any]]:
    rows = served_rows(given)
    assert isinstance(rows, pd.DataFrame)
    found: list[dict[str, Any]] = rows.to_dict("records")
    return found


def test_tables_and_frames_stay_themselves() -> None:
    for rows in (pa.table({"id": [1]}), pd.DataFrame({"id": [1]})):
        assert served_rows(rows) is rows


def test_records_and_columns_keep_their_integers() -> None:
    assert listed(RECORDS) == RECORDS
    assert listed(COLUMNS) == RECORDS


def test_one_record() -> None:
    assert listed(RECORDS[0]) == RECORDS[:1]
    assert listed(RECORDS[1]) == RECORDS[1:]


def test_arrays_as_mlflow_reads_them_from_json() -> None:
    arrays = [{name: np.array(value) for name, value in record.items()} for record in RECORDS]
    assert listed(arrays) == RECORDS
    assert listed(arrays[0]) == RECORDS[:1]
    same_length = {"id": np.array([1, 2]), "seen": np.array([[1, 2], [3, 4]])}
    assert listed(same_length) == [{"id": 1, "seen": [1, 2]}, {"id": 2, "seen": [3, 4]}]


def test_what_a_record_lacks_is_null() -> None:
    [first, second] = listed([{"id": 1, "tag": "a"}, {"id": 2}])
    assert first == {"id": 1, "tag": "a"}
    assert pd.isna(second["tag"])


@pytest.mark.parametrize("given", [np.zeros((2, 2)), [1, 2], "id", 7, pd.Series([1])])
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(SchemaError, match=f"the rows are a {type(given).__name__}; send"):
        served_rows(given)


def test_columns_of_several_lengths_are_refused() -> None:
    with pytest.raises(SchemaError, match="the rows are no table"):
        served_rows({"id": [1, 2], "tag": ["a"]})
