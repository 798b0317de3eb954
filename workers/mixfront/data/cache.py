"""Encoded rows on the node's disk: made once, memory-mapped by every process that needs them.

A split's folder is named by a digest of its files, filter and encoder. It is made in a folder
beside it and renamed when whole, under a file lock; the array files are plain `.npy`.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from mixfront.data.batch import FeatureLayout
from mixfront.data.cache_folder import private_folder, remove, require_space
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.encoding.labels import UserCodes, encode_label, is_label, wrong_label
from mixfront.data.reader import scan
from mixfront.data.storage import dataset_digest
from mixfront.exceptions import DataError

FORMAT = 2  # goes up when what is written changes
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
    """N encoded rows, in the order of the data set; arrays are read-only memory maps."""

    num_rows: int
    ids: Array  # (N, C) int32, rows of the fused table
    numeric: Array  # (N, M) float32, NaN where null
    sequences: Array  # (N, S) int32
    ages: Array  # (N, A) float32, seconds, of the timed sequences
    label: Array  # (N,) float32
    user: Array  # (N,) int64, comparable within the split
    layout: FeatureLayout


def open_split(
    path: str, filter_text: str | None, encoder: Encoder, cache_dir: Path | None = None
) -> EncodedSplit:
    """The encoded rows that a filter selects; encoded now if no process on this node did so yet.

    Args:
        path: Folder or URL of the Parquet data set.
        filter_text: Which rows; None means all.
        encoder: What they are encoded with.
        cache_dir: Where encoded rows are kept; `$MIXFRONT_CACHE` or `~/.cache/mixfront` if None.

    Raises:
        DataError: If a file is damaged, no row is selected, a label is neither 0 nor 1, all labels
            are the same, or the disk is full.
        SchemaError, SpecError: If the columns or the filter do not fit the data.
    """
    root = private_folder(cache_dir)
    key = _key(path, filter_text, encoder)
    folder = root / key
    if not _is_whole(folder):
        with FileLock(root / f"{key}.lock"):
            if not _is_whole(folder):  # another process may have been quicker
                _build(folder, path, filter_text, encoder)
    return _open(folder, encoder.layout)


def _key(path: str, filter_text: str | None, encoder: Encoder) -> str:
    parts = [str(FORMAT), dataset_digest(path), str(filter_text), encoder.digest]
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


def _build(folder: Path, path: str, filter_text: str | None, encoder: Encoder) -> None:
    """Encode into a folder of this process's own, then rename; the lock is held."""
    for left in folder.parent.glob(f"{folder.name}.building-*"):
        remove(left)  # of a process that was killed: whoever holds the lock builds
    remove(folder)
    building = folder.with_name(f"{folder.name}.building-{os.getpid()}")
    building.mkdir(mode=0o700)
    try:
        num_rows = _check_labels(path, filter_text, encoder.schema.label)
        shapes = _shapes(num_rows, encoder.layout)
        require_space(building, sum(_num_bytes(name, shape) for name, shape in shapes.items()))
        _write_arrays(building, shapes, path, filter_text, encoder)
        sizes = {name: (building / f"{name}.npy").stat().st_size for name in shapes}
        told = {"format": FORMAT, "num_rows": num_rows, "sizes": sizes}
        (building / "split.json").write_text(json.dumps(told))
        building.rename(folder)
    finally:
        remove(building)


def _num_bytes(name: str, shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(_DTYPES[name]).itemsize


def _check_labels(path: str, filter_text: str | None, label: str) -> int:
    """The number of rows; one quick pass over the label alone, before the long one."""
    counts: dict[str, int] = {}
    wrong: dict[str, int] = {}
    for table in scan(path, filter_text, [label]):
        for count in table[label].value_counts().to_pylist():
            told = counts if is_label(count["values"]) else wrong
            value = str(count["values"])
            told[value] = told.get(value, 0) + count["counts"]
    if wrong:
        example = max(wrong, key=lambda value: wrong[value])
        raise wrong_label(label, example, sum(wrong.values()))
    if len(counts) == 1:
        (value,) = counts
        raise DataError(
            f"the label {label!r} is {value} in all {counts[value]} rows of {filter_text!r}; "
            "AUC needs both classes, so choose more rows"
        )
    return sum(counts.values())


def _write_arrays(
    building: Path,
    shapes: dict[str, tuple[int, ...]],
    path: str,
    filter_text: str | None,
    encoder: Encoder,
) -> None:
    arrays = {name: _new_array(building / f"{name}.npy", name, s) for name, s in shapes.items()}
    schema, users, at = encoder.schema, UserCodes(), 0
    columns = list(dict.fromkeys([*encoder.columns, schema.label, schema.user]))
    for table in scan(path, filter_text, columns):
        rows = encoder.encode(table)
        place = slice(at, at + table.num_rows)
        arrays["ids"][place] = rows.ids
        arrays["numeric"][place] = rows.numeric
        arrays["sequences"][place] = rows.sequences
        arrays["ages"][place] = rows.ages
        arrays["label"][place] = encode_label(table[schema.label], schema.label)
        arrays["user"][place] = users.codes(table[schema.user])
        at += table.num_rows
    if at != len(arrays["label"]):
        raise DataError(f"{path} changed while it was read; run again when it is at rest")
    for array in arrays.values():
        if isinstance(array, np.memmap):
            array.flush()


def _new_array(file: Path, name: str, shape: tuple[int, ...]) -> Array:
    if 0 in shape:  # nothing can be mapped there
        np.save(file, np.empty(shape, _DTYPES[name]))
        return np.empty(shape, _DTYPES[name])
    return np.lib.format.open_memmap(file, mode="w+", dtype=np.dtype(_DTYPES[name]), shape=shape)


def _is_whole(folder: Path) -> bool:
    """Whether a folder holds all that `_build` writes, at full length."""
    try:
        told = json.loads((folder / "split.json").read_text())
        return bool(told["format"] == FORMAT) and all(
            (folder / f"{name}.npy").stat().st_size == told["sizes"][name] for name in _DTYPES
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _open(folder: Path, layout: FeatureLayout) -> EncodedSplit:
    num_rows: int = json.loads((folder / "split.json").read_text())["num_rows"]
    arrays = {
        name: np.load(
            folder / f"{name}.npy", mmap_mode=None if 0 in shape else "r", allow_pickle=False
        )
        for name, shape in _shapes(num_rows, layout).items()
    }
    return EncodedSplit(num_rows=num_rows, layout=layout, **arrays)
