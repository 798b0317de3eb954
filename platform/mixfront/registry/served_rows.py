"""Rows as callers hand them to a registered model, over HTTP or in Python."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mixfront.exceptions import SchemaError


def served_rows(given: Any) -> pa.Table | pd.DataFrame:
    """Rows by named columns.

    Args:
        given: A frame or a pyarrow table; a list of records, a record, or lists by column, as
            MLflow's server reads them from "inputs" and "instances": with NumPy arrays of no
            dimension for numbers and texts.

    Raises:
        SchemaError: If it is something else.
    """
    if isinstance(given, pa.Table | pd.DataFrame):
        return given
    if isinstance(given, Mapping):
        values = {name: _python(value) for name, value in given.items()}
        one = not all(isinstance(value, list) for value in values.values())
        return _frame([values] if one else values)
    if isinstance(given, list) and all(isinstance(record, Mapping) for record in given):
        return _frame([{name: _python(v) for name, v in record.items()} for record in given])
    raise SchemaError(
        f"the rows are a {type(given).__name__}; send a data frame, or records with column names"
    )


def _frame(rows: Any) -> pd.DataFrame:
    """Of objects: pandas would make floats of integers beside nulls."""
    try:
        return pd.DataFrame(rows, dtype=object)
    except ValueError as problem:
        raise SchemaError(f"the rows are no table: {problem}") from None


def _python(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
