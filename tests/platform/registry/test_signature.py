"""The signature and description of a registered model."""

import pyarrow as pa

from mixfront.registry.signature import as_frame, describe, signature


def test_the_signature_has_only_the_output() -> None:
    described = signature()
    assert described.inputs is None
    assert described.outputs.input_names() == ["probability"]


def test_the_description_lists_the_columns() -> None:
    text = describe(pa.schema([("user", pa.int64()), ("seen", pa.list_(pa.int32()))]))
    assert text.splitlines()[-2:] == ["| user | `int64` |", "| seen | `list<item: int32>` |"]


def test_a_long_description_is_cut() -> None:
    many = pa.schema([(f"column_{at}", pa.int64()) for at in range(1000)])
    text = describe(many)
    assert len(text) <= 5000
    num_listed = text.count("| column_")
    assert num_listed > 100
    assert text.endswith(f"and {1000 - num_listed} more, see `columns` in MLmodel")


def test_integers_with_nulls_stay_integers() -> None:
    frame = as_frame(pa.table({"id": pa.array([2**60 + 1, None])}))
    assert frame["id"].tolist() == [2**60 + 1, None]
