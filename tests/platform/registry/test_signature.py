"""What MLflow's pages tell of a model."""

import pyarrow as pa

from mixfront.registry.signature import as_frame, describe, signature


def test_probabilities_come_out_and_nothing_is_checked() -> None:
    told = signature()
    assert told.inputs is None
    assert told.outputs.input_names() == ["probability"]


def test_a_row_is_described() -> None:
    text = describe(pa.schema([("user", pa.int64()), ("seen", pa.list_(pa.int32()))]))
    assert text.splitlines()[-2:] == ["| user | `int64` |", "| seen | `list<item: int32>` |"]


def test_a_description_fits_into_mlflows_database() -> None:
    many = pa.schema([(f"column_{at}", pa.int64()) for at in range(1000)])
    text = describe(many)
    assert len(text) <= 5000
    told = text.count("| column_")
    assert told > 100
    assert text.endswith(f"and {1000 - told} more, see `columns` in MLmodel")


def test_integers_beside_nulls_stay_integers() -> None:
    frame = as_frame(pa.table({"id": pa.array([2**60 + 1, None])}))
    assert frame["id"].tolist() == [2**60 + 1, None]
