"""Converts the rows that a registered model gets, over HTTP or from Python."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mixfront.exceptions import SchemaError


def served_rows(rows: Any) -> pa.Table | pd.DataFrame:
    """Convert rows to a table or data frame with named columns.

    Args:
        rows: A data frame, a pyarrow table, a list of records, one record, or lists by column.
            MLflow's server makes NumPy arrays of all values in "inputs" and "instances",
            0-dimensional ones for numbers and strings.

    Raises:
        SchemaError: If the rows have any other type, or columns of different lengths.
    """
    if isinstance(rows, pa.Table | pd.DataFrame):
        return rows
    if isinstance(rows, Mapping):
        values = {name: _python(value) for name, value in rows.items()}
        is_record = not all(isinstance(value, list) for value in values.values())
        return _frame([values] if is_record else values)
    if isinstance(rows, list) and all(isinstance(record, Mapping) for record in rows):
        return _frame([{name: _python(v) for name, v in record.items()} for record in rows])
    raise SchemaError(
        f"the rows have the type {type(rows).__name__}; send a data frame, or records with column "
        "names"
    )


def _frame(rows: Any) -> pd.DataFrame:
    """A frame of Python objects, as pandas would convert integers with nulls to floats."""
    try:
        return pd.DataFrame(rows, dtype=object)
    except ValueError as problem:
        raise SchemaError(f"the rows do not form a table: {problem}") from None


def _python(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
