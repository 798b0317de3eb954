"""Parquet files as one Arrow dataset: hive partitions, and columns that differ between files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pds

from mixfront.data.parquet_errors import READ_ERRORS, explain_read_error
from mixfront.data.storage import ParquetFiles

_INSPECTED = 32  # number of files whose columns are compared: a month of daily files
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class ArrowDataset:
    """An opened Arrow dataset, and the schema that its files have on disk."""

    dataset: Any  # pyarrow.dataset.Dataset
    stored: Any  # pyarrow.Schema of the files; may have views, unlike `dataset`


def open_arrow_dataset(files: ParquetFiles) -> ArrowDataset:
    """Open the files as one dataset, after reading up to 32 of their footers.

    Folders called `key=value` become columns: int64 if every value is a whole number, else text.
    Columns that differ between files are widened (int32 to int64) or filled with nulls. Views
    become plain strings, because Arrow cannot filter tables with a string_view column.

    Raises:
        DataError: If a file is damaged; the message names it.
    """
    last = len(files.names) - 1
    inspected = sorted({round(i * last / (_INSPECTED - 1)) for i in range(_INSPECTED)})
    try:
        stored = _factory(files, [files.names[i] for i in inspected]).inspect(
            promote_options="permissive"
        )
        _ = stored.names  # decodes them
        plain = pa.schema([field.with_type(_without_views(field.type)) for field in stored])
        return ArrowDataset(_factory(files, list(files.names)).finish(plain), stored)
    except READ_ERRORS as problem:
        raise explain_read_error(files, (), None, problem) from None


def _factory(files: ParquetFiles, names: list[str]) -> Any:
    options = pds.FileSystemFactoryOptions(
        partitioning=pds.partitioning(_partition_columns(files.names), flavor="hive")
    )
    scanning = pds.ParquetFragmentScanOptions(page_checksum_verification=True)
    parquet = pds.ParquetFileFormat(default_fragment_scan_options=scanning)
    return pds.FileSystemDatasetFactory(files.filesystem, names, parquet, options)


def _partition_columns(names: Sequence[str]) -> Any:
    """Types of the `key=value` columns. Arrow would infer text for numbers beyond int32."""
    values: dict[str, set[str]] = {}
    for name in names:
        for part in name.split("/")[:-1]:
            key, equals, value = part.partition("=")
            if equals and value != _NO_VALUE:
                values.setdefault(key, set()).add(value)
    whole = re.compile(r"-?\d{1,18}")
    return pa.schema(
        [
            (key, pa.int64() if all(map(whole.fullmatch, texts)) else pa.string())
            for key, texts in values.items()
        ]
    )


def _without_views(kind: Any) -> Any:
    if pa.types.is_list(kind):
        return pa.list_(_without_views(kind.value_type))
    return {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(kind, kind)
