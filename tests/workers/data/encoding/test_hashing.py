"""Hashes: the same on every platform, and evenly spread."""

import numpy as np
import pyarrow as pa

from mixfront.data.encoding.hashing import hash_values


def fnv_then_mix(text: str) -> int:
    """The hash of one text, from the definitions, with Python's integers."""
    mask = 2**64 - 1
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = ((state ^ byte) * 0x100000001B3) & mask
    state = (state + 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


def test_integers_hash_as_published() -> None:
    # the first output of splitmix64 seeded with 0 and with 1234567
    assert hash_values(pa.array([0, 1234567])).tolist() == [
        0xE220A8397B1DCDAF,
        6457827717110365317,
    ]


def test_texts_hash_as_defined() -> None:
    texts = ["", "a", "ab", "Zürich", "item_00012345", "a"]
    for kind in (pa.string(), pa.large_string()):
        assert hash_values(pa.array(texts, kind)).tolist() == [fnv_then_mix(t) for t in texts]


def test_slices_and_nulls_do_not_matter() -> None:
    whole = pa.array(["x", "abc", None, "d"])
    assert hash_values(whole[1:])[[0, 2]].tolist() == [fnv_then_mix("abc"), fnv_then_mix("d")]
    assert len(hash_values(pa.array([None], pa.string()))) == 1
    assert len(hash_values(pa.array([], pa.string()))) == 0


def test_buckets_fill_evenly() -> None:
    buckets = hash_values(pa.array(np.arange(100_000) * 8)) % np.uint64(100)
    counts = np.bincount(buckets.astype(int), minlength=100)
    assert counts.min() > 800
    assert counts.max() < 1200
