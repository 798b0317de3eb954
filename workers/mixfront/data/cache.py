"""Encoded rows on the node's disk: written once, memory-mapped by every process that needs them.

A split's folder is named by a digest of its files, filter and encoder. It is written under a
temporary name and renamed when it is complete, under a file lock; the arrays are plain `.npy`
files. Before a split is written, splits that are used least give way to it.
"""

import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from mixfront.data.batch import FeatureLayout
from mixfront.data.cache_eviction import MANIFEST, InUse, make_room, use
from mixfront.data.cache_folder import private_folder, remove, require_space
from mixfront.data.dataset import ParquetDataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.encoding.labels import (
    UserCodes,
    count_labels,
    encode_label,
    is_label,
    wrong_label,
)
from mixfront.exceptions import DataError

FORMAT = 2  # increase it when the content of the files changes
_DTYPES = {
    "ids": "<i4",
    "numeric": "<f4",
    "sequences": "<i4",
    "ages": "<f4",
    "label": "<f4",
    "user": "<i8",
}

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class EncodedSplit:
    """N encoded rows in the order of the data set; the arrays are read-only memory maps."""

    num_rows: int
    ids: Array  # (N, C) int32, rows of the fused table
    numeric: Array  # (N, M) float32, NaN where null
    sequences: Array  # (N, S) int32
    ages: Array  # (N, A) float32, seconds; only of timed sequences
    label: Array  # (N,) float32
    user: Array  # (N,) int64, comparable within the split
    layout: FeatureLayout
    in_use: InUse | None = None  # protects the files from eviction


def open_split(
    dataset: ParquetDataset,
    filter_text: str | None,
    encoder: Encoder,
    cache_dir: Path | None = None,
) -> EncodedSplit:
    """The rows that a filter selects, encoded first if this node does not have them yet.

    Args:
        dataset: The raw rows.
        filter_text: Filter of the rows; None means all.
        encoder: Encodes them.
        cache_dir: Where encoded rows are kept; `$MIXFRONT_CACHE` or `~/.cache/mixfront` if None.

    Raises:
        DataError: If a file is damaged, no row is selected, a label is neither 0 nor 1, all labels
            are the same, or the disk is full.
        SchemaError, SpecError: If the columns or the filter do not fit the data.
        UsageError: If a limit of the cache is invalid.
    """
    root = private_folder(cache_dir)
    key = _key(dataset, filter_text, encoder)
    folder = root / key
    while True:
        if not _is_complete(folder):
            with FileLock(root / f"{key}.lock"):
                if not _is_complete(folder):  # another process may have built it meanwhile
                    _build(folder, dataset, filter_text, encoder)
        in_use = use(folder)
        if in_use is not None:  # else another process evicted it in this moment
            return _open(folder, encoder.layout, in_use)


def _key(dataset: ParquetDataset, filter_text: str | None, encoder: Encoder) -> str:
    parts = [str(FORMAT), dataset.listing_digest, str(filter_text), encoder.digest]
    parts += [encoder.schema.label, encoder.schema.user]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _shapes(num_rows: int, layout: FeatureLayout) -> dict[str, tuple[int, ...]]:
    return {
        "ids": (num_rows, len(layout.of_kind("categorical"))),
        "numeric": (num_rows, len(layout.of_kind("numeric"))),
        "sequences": (num_rows, sum(field.length for field in layout.of_kind("sequence"))),
        "ages": (num_rows, layout.num_ages()),
        "label": (num_rows,),
        "user": (num_rows,),
    }


def _build(
    folder: Path, dataset: ParquetDataset, filter_text: str | None, encoder: Encoder
) -> None:
    """Encode into a folder of this process, then rename it; the caller holds the lock."""
    for abandoned in folder.parent.glob(f"{folder.name}.building-*"):
        remove(abandoned)  # left by a killed process: only the lock's holder builds
    remove(folder)
    building = folder.with_name(f"{folder.name}.building-{os.getpid()}")
    building.mkdir(mode=0o700)
    try:
        num_rows = _check_labels(dataset, filter_text, encoder.schema.label)
        shapes = _shapes(num_rows, encoder.layout)
        num_bytes = sum(_num_bytes(name, shape) for name, shape in shapes.items())
        make_room(folder.parent, num_bytes)
        require_space(building, num_bytes)
        _write_arrays(building, shapes, dataset, filter_text, encoder)
        sizes = {name: (building / f"{name}.npy").stat().st_size for name in shapes}
        manifest = {"format": FORMAT, "num_rows": num_rows, "sizes": sizes}
        (building / MANIFEST).write_text(json.dumps(manifest))
        building.rename(folder)
    finally:
        remove(building)


def _num_bytes(name: str, shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(_DTYPES[name]).itemsize


def _check_labels(dataset: ParquetDataset, filter_text: str | None, label: str) -> int:
    """Check the labels and count the rows, in a quick pass over the label column only."""
    counts: Counter[Any] = Counter()
    for table in dataset.scan(filter_text, [label]):
        counts.update(count_labels(table[label], label))
    wrong = {value: count for value, count in counts.items() if not is_label(value)}
    if wrong:
        raise wrong_label(label, wrong)
    if len(counts) == 1:
        (value,) = counts
        raise DataError(
            f"the label {label!r} is {value} in all {counts[value]} rows of {filter_text!r}; "
            "AUC needs both classes, so choose more rows"
        )
    return counts.total()


def _write_arrays(
    building: Path,
    shapes: dict[str, tuple[int, ...]],
    dataset: ParquetDataset,
    filter_text: str | None,
    encoder: Encoder,
) -> None:
    arrays = {name: _new_array(building / f"{name}.npy", name, s) for name, s in shapes.items()}
    schema, at = encoder.schema, 0
    users = UserCodes(schema.user)
    columns = list(dict.fromkeys([*encoder.columns, schema.label, schema.user]))
    for table in dataset.scan(filter_text, columns):
        rows = encoder.encode(table)
        place = slice(at, at + table.num_rows)
        if place.stop > len(arrays["label"]):
            raise _changed(dataset)
        arrays["ids"][place] = rows.ids
        arrays["numeric"][place] = rows.numeric
        arrays["sequences"][place] = rows.sequences
        arrays["ages"][place] = rows.ages
        arrays["label"][place] = encode_label(table[schema.label], schema.label)
        arrays["user"][place] = users.codes(table[schema.user])
        at = place.stop
    if at < len(arrays["label"]):
        raise _changed(dataset)
    for array in arrays.values():
        if isinstance(array, np.memmap):
            array.flush()


def _changed(dataset: ParquetDataset) -> DataError:
    return DataError(
        f"{dataset.path} changed while it was read; run again when nothing is writing to it"
    )


def _new_array(file: Path, name: str, shape: tuple[int, ...]) -> Array:
    if 0 in shape:  # an empty array cannot be mapped
        np.save(file, np.empty(shape, _DTYPES[name]))
        return np.empty(shape, _DTYPES[name])
    return np.lib.format.open_memmap(file, mode="w+", dtype=np.dtype(_DTYPES[name]), shape=shape)


def _is_complete(folder: Path) -> bool:
    """Whether a folder has all the files that `_build` writes, at full length."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return bool(manifest["format"] == FORMAT) and all(
            (folder / f"{name}.npy").stat().st_size == manifest["sizes"][name] for name in _DTYPES
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _open(folder: Path, layout: FeatureLayout, in_use: InUse) -> EncodedSplit:
    num_rows: int = json.loads((folder / MANIFEST).read_text())["num_rows"]
    arrays = {
        name: np.load(
            folder / f"{name}.npy", mmap_mode=None if 0 in shape else "r", allow_pickle=False
        )
        for name, shape in _shapes(num_rows, layout).items()
    }
    return EncodedSplit(num_rows=num_rows, layout=layout, in_use=in_use, **arrays)
