"""Parquet data sets at any fsspec URL, read column by column as streams of tables."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pds

from mixfront.data.filters import parse_filter
from mixfront.data.parquet_errors import explain_read_error
from mixfront.data.storage import ParquetFiles, dataset_digest, find_files
from mixfront.exceptions import DataError, SchemaError, nearest

__all__ = ["TABLE_ROWS", "check_columns", "dataset_digest", "open_dataset", "raw_rows", "scan"]

TABLE_ROWS = 65_536  # rows that are worked on at once
_INSPECTED = 32  # files whose columns are compared; a month of days, without opening thousands
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def open_dataset(path: str) -> Any:
    """A `pyarrow.dataset.Dataset` of all Parquet files at or below a path or fsspec URL.

    Folders called `key=value` become columns: int64 where every value is a whole number, else
    text. Columns that differ between files are widened (int32 to int64) or filled with nulls.

    Raises:
        DataError: If there are no such files, or one is damaged; names it.
    """
    return _open(find_files(path))


def _open(files: ParquetFiles) -> Any:
    spread = sorted(
        {round(i * (len(files.names) - 1) / (_INSPECTED - 1)) for i in range(_INSPECTED)}
    )
    try:
        schema = _factory(files, [files.names[i] for i in spread]).inspect(
            promote_options="permissive"
        )
        return _factory(files, list(files.names)).finish(schema)
    except (pa.ArrowException, OSError) as problem:
        raise explain_read_error(files, (), None, problem) from None


def _factory(files: ParquetFiles, names: list[str]) -> Any:
    options = pds.FileSystemFactoryOptions(
        partitioning=pds.partitioning(_partition_columns(files.names), flavor="hive")
    )
    scanning = pds.ParquetFragmentScanOptions(page_checksum_verification=True)
    parquet = pds.ParquetFileFormat(default_fragment_scan_options=scanning)
    return pds.FileSystemDatasetFactory(files.filesystem, names, parquet, options)


def _partition_columns(names: Sequence[str]) -> Any:
    """Types of the `key=value` folders. Arrow's own inference makes text of numbers over int32."""
    values: dict[str, set[str]] = {}
    for name in names:
        for part in name.split("/")[:-1]:
            key, mark, value = part.partition("=")
            if mark and value != _NO_VALUE:
                values.setdefault(key, set()).add(value)
    whole = re.compile(r"-?\d{1,18}")
    return pa.schema(
        [
            (key, pa.int64() if all(whole.fullmatch(v) for v in found) else pa.string())
            for key, found in values.items()
        ]
    )


def check_columns(columns: Sequence[str], schema: Any, path: str) -> None:
    """Make sure that the data has every column asked for.

    Raises:
        SchemaError: If one is missing; names it and the nearest.
    """
    for column in columns:
        if column not in schema.names:
            raise SchemaError(
                f"the data at {path} has no column {column!r}: {nearest(column, schema.names)}"
            )


def scan(
    path: str, filter_text: str | None, columns: Sequence[str], table_rows: int = TABLE_ROWS
) -> Iterator[Any]:
    """The rows that a filter selects, in the order of files and rows, as `pyarrow.Table`s.

    Only `columns` are read. Tables have about `table_rows` rows; none is empty.

    Raises:
        SchemaError: If a column is missing.
        SpecError: If the filter is wrong, or does not fit the types of the columns.
        DataError: If a file is damaged (named, with its row group), or no row is selected.
    """
    files = find_files(path)
    dataset = _open(files)
    check_columns(columns, dataset.schema, path)
    rows = parse_filter(filter_text) if filter_text is not None else None
    expression = rows.bind(dataset.schema) if rows else None
    num_rows = 0
    try:
        scanner = dataset.scanner(columns=list(columns), filter=expression, batch_size=table_rows)
        for table in _gather(scanner.to_batches(), table_rows):
            num_rows += table.num_rows
            yield table
    except (pa.ArrowException, OSError) as problem:
        read = sorted({*columns, *(rows.columns if rows else ())})
        raise explain_read_error(files, read, dataset.schema, problem) from None
    if num_rows == 0:
        chosen = (
            f"the filter {filter_text!r} selects no rows of" if rows else "there are no rows in"
        )
        raise DataError(f"{chosen} {path}; change it or check the path")


def _gather(batches: Iterator[Any], table_rows: int) -> Iterator[Any]:
    """Small record batches (one a row group) put together into larger tables."""
    waiting: list[Any] = []
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
        if sum(b.num_rows for b in waiting) >= table_rows:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def raw_rows(path: str, filter_text: str | None, columns: Sequence[str], num_rows: int) -> Any:
    """The first `num_rows` raw rows that a filter selects, as a `pyarrow.Table`.

    Raises:
        SchemaError, SpecError, DataError: As `scan`.
    """
    taken: list[Any] = []
    for table in scan(path, filter_text, columns, table_rows=max(num_rows, 1024)):
        taken.append(table)
        if sum(t.num_rows for t in taken) >= num_rows:
            break
    return pa.concat_tables(taken).slice(0, num_rows)
