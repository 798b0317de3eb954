"""Which file of a data set cannot be read, and where: asked only after reading failed."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixfront.data.storage import ParquetFiles
from mixfront.exceptions import DataError


def explain_read_error(
    files: ParquetFiles, columns: Sequence[str], schema: Any, problem: Exception
) -> DataError:
    """One sentence on why `columns` cannot be read: which file, and where it can tell, row group.

    Args:
        files: The data set that failed.
        columns: What was asked of it.
        schema: Its common `pyarrow.Schema`, or None if not even that could be read.
        problem: What reading raised.
    """
    for name in files.names:
        found = _in_file(files.filesystem, name, columns, schema)
        if found:
            return DataError(found)
    return DataError(f"cannot read {files.path}: {_first_line(problem)}")


def _in_file(filesystem: Any, name: str, columns: Sequence[str], schema: Any) -> str | None:
    try:
        file = pq.ParquetFile(filesystem.open_input_file(name), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as problem:
        return (
            f"{name} is no complete Parquet file: {_first_line(problem)}; it may have been cut "
            "off, and its row groups cannot be told as their list stands at its end; "
            "write it again or take it away"
        )
    with file:
        return _type_conflict(file, name, columns, schema) or _bad_row_group(file, name, columns)


def _type_conflict(file: Any, name: str, columns: Sequence[str], schema: Any) -> str | None:
    own = file.schema_arrow
    for column in columns:
        if schema is None or column not in own.names or column not in schema.names:
            continue
        try:
            pa.nulls(0, own.field(column).type).cast(schema.field(column).type)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return (
                f"the column {column!r} is {own.field(column).type} in {name} but "
                f"{schema.field(column).type} in other files; write one type"
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
                "again or take it away"
            )
    return None


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__
