"""After a failed read, finds out which file of a data set cannot be read, and why."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixfront.data.storage import ParquetFiles
from mixfront.exceptions import DataError

READ_ERRORS = (pa.ArrowException, OSError, UnicodeDecodeError)  # the last: a column's name


def explain_read_error(
    files: ParquetFiles, columns: Sequence[str], schema: Any, problem: Exception
) -> DataError:
    """One sentence on why `columns` cannot be read, with the file and, if known, the row group.

    Args:
        files: The data set.
        columns: The columns that were read.
        schema: The `pyarrow.Schema` that the files share, or None if it could not be read.
        problem: The exception of the failed read.
    """
    for name in files.names:
        fault = _find_fault(files.filesystem, name, columns, schema)
        if fault:
            return DataError(fault)
    return DataError(f"cannot read {files.path}: {_first_line(problem)}")


def _find_fault(filesystem: Any, name: str, columns: Sequence[str], schema: Any) -> str | None:
    try:
        file = pq.ParquetFile(filesystem.open_input_file(name), page_checksum_verification=True)
    except UnicodeDecodeError:
        return f"the name of a column of {name} is not valid UTF-8; write the file again"
    except (pa.ArrowException, OSError) as problem:
        return (
            f"{name} is not a complete Parquet file: {_first_line(problem)}; it may have been "
            "truncated, which loses the list of row groups at its end; write it again or remove it"
        )
    with file:
        return _bad_row_group(file, name, columns) or _type_conflict(file, name, columns, schema)


def _type_conflict(file: Any, name: str, columns: Sequence[str], schema: Any) -> str | None:
    file_schema = file.schema_arrow
    for column in columns:
        if schema is None or column not in file_schema.names or column not in schema.names:
            continue
        here, elsewhere = file_schema.field(column).type, schema.field(column).type
        if here == elsewhere:
            continue
        try:  # casts the values, because text of digits fits an integer column
            file.read(columns=[column])[column].cast(elsewhere)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return (
                f"the column {column!r} is {here} in {name} but {elsewhere} in other files; "
                "write the same type to all files"
            )
    return None


def _bad_row_group(file: Any, name: str, columns: Sequence[str]) -> str | None:
    present = [column for column in columns if column in file.schema_arrow.names]
    for group in range(file.num_row_groups):
        try:
            file.read_row_group(group, columns=present)
        except (pa.ArrowException, OSError) as problem:
            return (
                f"row group {group} of {name} is damaged: {_first_line(problem)}; write the file "
                "again or remove it"
            )
    return None


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__
