"""Hashes of whole columns that are the same in every process and on every platform."""

from typing import Any

import numpy as np
import pyarrow as pa

Hashes = np.ndarray[Any, np.dtype[np.uint64]]

_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)


def mix64(words: Hashes) -> Hashes:
    """The finalizer of splitmix64 (Steele et al., 2014): every bit depends on every bit."""
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def hash_values(values: Any) -> Hashes:
    """64-bit hashes (N,) of an int64, float32 or string pyarrow array; arbitrary where null."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        unique = values.cast(pa.string()).dictionary_encode()
        codes = unique.indices.fill_null(0).to_numpy(zero_copy_only=False)
        hashes = _hash_text(unique.dictionary)
        return hashes[codes] if len(hashes) else np.zeros(len(values), np.uint64)
    flat = values.fill_null(0).to_numpy(zero_copy_only=False)
    words = flat.view(np.uint32) if flat.dtype == np.float32 else flat.view(np.uint64)
    return mix64(words.astype(np.uint64))


def _hash_text(texts: Any) -> Hashes:
    """FNV-1a over the UTF-8 bytes, one byte position of all strings at a time, then mixed."""
    if len(texts) == 0:
        return np.zeros(0, np.uint64)
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset :][: len(texts) + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets)
    hashes = np.full(len(texts), _FNV_OFFSET)
    for position in range(int(lengths.max())):
        live = np.flatnonzero(lengths > position)
        byte = data[starts[live] + position].astype(np.uint64)
        hashes[live] = (hashes[live] ^ byte) * _FNV_PRIME
    return mix64(hashes)
