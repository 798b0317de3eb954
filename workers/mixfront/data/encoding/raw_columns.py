"""Raw rows, a pyarrow table or a pandas frame, as columns by name."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mixfront.exceptions import SchemaError

if TYPE_CHECKING:
    import pandas as pd


def column_names(rows: "pa.Table | pd.DataFrame") -> list[str]:
    """Names of all columns, in order."""
    names: list[str] = rows.schema.names if isinstance(rows, pa.Table) else rows.columns.tolist()
    return names


def raw_columns(rows: "pa.Table | pd.DataFrame", names: Iterable[str]) -> dict[str, Any]:
    """Those of the named columns that are there; the others are not read.

    They are pyarrow arrays, in chunks or not; only pandas' own numbers stay NumPy arrays.

    Raises:
        SchemaError: If a name occurs twice, or the values of a column are of different types.
    """
    there = column_names(rows)
    at = {name: place for place, name in enumerate(there)}
    found = [name for name in names if name in at]
    if len(at) < len(there) and (twice := [name for name in found if there.count(name) > 1]):
        raise SchemaError(f"the rows have the column {twice[0]!r} twice; drop or rename one")
    if isinstance(rows, pa.Table):
        return {name: rows.column(at[name]) for name in found}
    # Private, though pandas itself writes CSV from it: 0.06 ms for 52 columns, where `rows[name]`
    # takes 0.9 ms, a third of all that a served row takes beside the model.
    arrays = list(rows._iter_column_arrays())
    return {name: _from_pandas(arrays[at[name]], name) for name in found}


def _from_pandas(values: Any, name: str) -> Any:
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return values
    try:
        return pa.array(values, from_pandas=True)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as problem:
        reason = str(problem).splitlines()[0]
        raise SchemaError(
            f"the column {name!r} cannot be read: {reason}; give all its rows one type"
        ) from None
