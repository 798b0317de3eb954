"""Parquet data sets at any fsspec URL, read column by column as streams of tables."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import pyarrow as pa

from mixfront.data.arrow_dataset import ArrowDataset, open_arrow_dataset
from mixfront.data.file_footers import footers_digest, read_footers
from mixfront.data.filters import Filter, parse_filter
from mixfront.data.parquet_errors import READ_ERRORS, explain_read_error
from mixfront.data.storage import ParquetFiles, find_files
from mixfront.exceptions import DataError, SchemaError, nearest

TABLE_ROWS = 65_536  # rows per table of a scan


def open_dataset(path: str) -> "ParquetDataset":
    """List the Parquet files at or below a path or fsspec URL; nothing is read yet.

    Raises:
        DataError: If there are none, or the URL cannot be opened.
    """
    return ParquetDataset(find_files(path))


def check_columns(columns: Sequence[str], schema: Any, path: str) -> None:
    """Make sure that the data has every one of these columns.

    Raises:
        SchemaError: If one is missing; the message names it and the closest match.
    """
    for column in columns:
        if column not in schema.names:
            raise SchemaError(
                f"the data at {path} has no column {column!r}: {nearest(column, schema.names)}"
            )


class ParquetDataset:
    """A data set whose files are listed once, when it is opened.

    Pass it on instead of its path, because a listing takes seconds on an object store. It never
    sees files that are added later: open the path again and compare digests to notice a change.
    Removing or overwriting a file during a read causes a DataError.

    Attributes:
        path: As the user wrote it.
        listing_digest: Identifies the files by name, size, and modification time or ETag.
    """

    def __init__(self, files: ParquetFiles) -> None:
        self.path = files.path
        self.listing_digest = files.digest()
        self._files = files

    @cached_property
    def footers(self) -> dict[str, str]:
        """Name below the path -> size and digest of the Parquet footer.

        Raises:
            DataError: If a file cannot be read; the message names it.
        """
        try:
            return read_footers(self._files)
        except (pa.ArrowException, OSError) as problem:
            raise explain_read_error(self._files, (), None, problem) from None

    @property
    def digest(self) -> str:
        """Identifies the data by `footers`, the same for every copy of the files."""
        return footers_digest(self.footers)

    @property
    def schema(self) -> Any:
        """The `pyarrow.Schema` that all files share, partition columns last.

        Raises:
            DataError: If a file is damaged; the message names it.
        """
        return self._arrow.dataset.schema

    @property
    def partition_columns(self) -> list[str]:
        """Columns whose values are in the names of folders (`key=value`)."""
        partitioning = self._arrow.dataset.partitioning
        return list(partitioning.schema.names) if partitioning else []

    def scan(
        self,
        filter_text: str | None = None,
        columns: Sequence[str] | None = None,
        table_rows: int = TABLE_ROWS,
    ) -> Iterator[Any]:
        """The rows that a filter selects, in file and row order, as `pyarrow.Table`s.

        Args:
            filter_text: Filter of the rows; None means all.
            columns: Columns to read; None means all.
            table_rows: Approximate number of rows per table; no table is empty.

        Raises:
            SchemaError: If a column is missing.
            SpecError: If the filter is wrong, or does not fit the types of the columns.
            DataError: If no row is selected, or a file is damaged; the message names the file and
                its row group.
        """
        names = self.schema.names if columns is None else list(columns)
        check_columns(names, self.schema, self.path)
        rows, expression = self._bind(filter_text)
        num_rows = 0
        with self._read_errors([*names, *(rows.columns if rows else ())]):
            scanner = self._arrow.dataset.scanner(
                columns=names, filter=expression, batch_size=table_rows
            )
            for table in _merge_batches(scanner.to_batches(), table_rows):
                num_rows += table.num_rows
                yield table
        self._require_rows(num_rows, filter_text)

    def head(
        self,
        num_rows: int,
        filter_text: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> Any:
        """The first `num_rows` rows that a filter selects, as one `pyarrow.Table`.

        Raises:
            SchemaError, SpecError, DataError: As `scan`.
        """
        tables: list[Any] = []
        for table in self.scan(filter_text, columns, table_rows=max(num_rows, 1024)):
            tables.append(table)
            if sum(t.num_rows for t in tables) >= num_rows:
                break
        return pa.concat_tables(tables).slice(0, num_rows)

    def count_rows(self, filter_text: str | None = None) -> int:
        """How many rows a filter selects; reads only the filter's columns, no partition columns.

        Raises:
            SpecError, SchemaError, DataError: As `scan`.
        """
        rows, expression = self._bind(filter_text)
        with self._read_errors(list(rows.columns) if rows else []):
            # Arrow 25's count_rows trusts statistics: it counts NaN as equal to the other values
            scanner = self._arrow.dataset.scanner(columns=[], filter=expression)
            num_rows = sum(int(batch.num_rows) for batch in scanner.to_batches())
        self._require_rows(num_rows, filter_text)
        return num_rows

    @cached_property
    def _arrow(self) -> ArrowDataset:
        return open_arrow_dataset(self._files)

    def _bind(self, filter_text: str | None) -> tuple[Filter | None, Any]:
        if filter_text is None:
            return None, None
        rows = parse_filter(filter_text)
        return rows, rows.bind(self._arrow.stored)

    @contextmanager
    def _read_errors(self, columns: list[str]) -> Iterator[None]:
        """Turn Arrow's errors into one sentence that names the file."""
        try:
            yield
        except READ_ERRORS as problem:
            used = sorted(set(columns))
            raise explain_read_error(self._files, used, self.schema, problem) from None

    def _require_rows(self, num_rows: int, filter_text: str | None) -> None:
        if num_rows:
            return
        if filter_text is None:
            raise DataError(f"{self.path} has no rows; check the path")
        raise DataError(
            f"the filter {filter_text!r} selects no rows of {self.path}; "
            "change it or check the path"
        )


def _merge_batches(batches: Iterator[Any], table_rows: int) -> Iterator[Any]:
    """Merge small record batches (one per row group) into tables of at least `table_rows` rows."""
    pending: list[Any] = []
    num_rows = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        pending.append(batch)
        num_rows += batch.num_rows
        if num_rows >= table_rows:
            yield pa.Table.from_batches(pending)
            pending, num_rows = [], 0
    if pending:
        yield pa.Table.from_batches(pending)
