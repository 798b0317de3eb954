"""The encoder: fitted only on training rows, with the same ids from every source."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mixfront.data.batch import NULL, UNKNOWN
from mixfront.data.config import DataConfig
from mixfront.data.dataset import ParquetDataset, open_dataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.encoding.features import EncodedRows
from mixfront.data.schema import (
    CategoricalFeature,
    NumericFeature,
    Schema,
    SequenceFeature,
)
from mixfront.exceptions import DataError, SchemaError, SpecError


def schema(*features: Any) -> Schema:
    return Schema(label="click", user="user", features=features)


def fit(days: Path, *features: Any, train: str | None = "date == 20260101") -> Encoder:
    return Encoder.fit(open_dataset(str(days)), schema(*features), train)


def assert_equal(one: EncodedRows, other: EncodedRows) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.numeric, other.numeric)
    np.testing.assert_array_equal(one.sequences, other.sequences)
    np.testing.assert_array_equal(one.ages, other.ages)


ITEM = CategoricalFeature(name="item", domain="item")
SEEN = SequenceFeature(name="seen", domain="behaviour", length=2, share="item")


def test_layout_and_rows_by_hand(days: Path) -> None:
    encoder = fit(days, SEEN, NumericFeature(name="price", domain="item"), ITEM)
    assert [(f.name, f.kind, f.length) for f in encoder.layout.fields] == [
        ("seen", "sequence", 2),
        ("price", "numeric", 1),
        ("item", "categorical", 1),
    ]
    assert encoder.columns == ("seen", "price", "item")
    assert encoder.layout.num_rows == 3 + 4
    assert encoder.layout.pad_rows == (0,)
    rows = encoder.encode(open_dataset(str(days)).head(8, columns=encoder.columns))
    # items 0, 10, 20, 30 were seen in training, 40 and later were not
    assert rows.ids[:, 0].tolist() == [3, 4, 5, 6, 1, 1, 1, 1]
    assert rows.sequences[:4].tolist() == [[3, 4], [0, 0], [0, 0], [1, 5]]
    mean, deviation = 7 / 3, np.std([1.0, 2.0, 4.0])
    np.testing.assert_allclose(
        rows.numeric[:4, 0], (np.array([1, 2, np.nan, 4]) - mean) / deviation, rtol=1e-6
    )
    dtypes = [array.dtype.str for array in (rows.ids, rows.numeric, rows.sequences)]
    assert dtypes == ["<i4", "<f4", "<i4"]


def test_a_sequence_that_shares_a_categorical_table_has_that_feature_as_target(days: Path) -> None:
    own = SequenceFeature(name="own", column="seen", domain="behaviour", length=2)
    again = SequenceFeature(name="again", column="seen", domain="behaviour", length=2, share="own")
    layout = fit(days, SEEN, ITEM, own, again).layout
    targets = {field.name: field.target for field in layout.fields}
    assert targets == {"seen": "item", "item": None, "own": None, "again": None}


def test_events_with_times_have_ages(encoder: Encoder, dataset: ParquetDataset) -> None:
    """The history is the only sequence; its times and those of the rows are read, too."""
    assert encoder.columns[-2:] == ("history_ms", "time_ms")
    assert encoder.layout.num_ages() == 20
    raw = dataset.head(50, columns=encoder.columns)
    ages = encoder.encode(raw).ages
    for row, (now, times) in enumerate(zip(raw["time_ms"], raw["history_ms"], strict=True)):
        expected = [(now.as_py() - then) / 1000 for then in times.as_py()]
        np.testing.assert_allclose(ages[row, : len(expected)], expected, rtol=1e-6)
        assert not ages[row, len(expected) :].any()


def test_only_sequences_with_times_have_ages(days: Path) -> None:
    timed = SequenceFeature(name="again", column="seen", domain="x", length=3, times="seen")
    features = (SEEN, ITEM, timed)
    timed_schema = Schema(
        label="click", user="user", time="item", time_unit="s", features=features
    )
    encoder = Encoder.fit(open_dataset(str(days)), timed_schema)
    assert [field.timed for field in encoder.layout.fields] == [False, False, True]
    raw = open_dataset(str(days)).head(4, columns=encoder.columns)
    assert encoder.encode(raw).ages.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [20, 0, 10]]
    with pytest.raises(SchemaError, match="no column 'item'"):
        encoder.encode(raw.drop_columns(["item"]))


def test_only_training_rows_are_used_to_fit(days: Path) -> None:
    features = [
        ITEM,
        NumericFeature(name="price", domain="item"),
        NumericFeature(name="price2", column="price", domain="item", encoding="buckets"),
        SequenceFeature(name="seen", domain="behaviour", length=3),
    ]
    narrow, wide = fit(days, *features), fit(days, *features, train=None)
    assert narrow.state.num_rows == 4
    assert [t.size for t in narrow.state.tables] == [4, 3, 4]
    assert [t.size for t in wide.state.tables] == [8, 4, 4]
    assert narrow.state.scalings[0].mean == pytest.approx(7 / 3)
    assert narrow.digest != wide.digest


def test_tables_follow_one_another(encoder: Encoder, dataset: ParquetDataset) -> None:
    at = 0
    for table in encoder.state.tables:
        assert table.offset == at
        at += table.num_rows
    assert encoder.layout.num_rows == at
    rows = encoder.encode(dataset.head(2000, columns=encoder.columns))
    names = [field.name for field in encoder.layout.of_kind("categorical")]
    tables = {table.feature: table for table in encoder.state.tables}
    for column, name in enumerate(names):
        low = tables[name].offset + UNKNOWN
        assert rows.ids[:, column].min() >= low
        assert rows.ids[:, column].max() < tables[name].offset + tables[name].num_rows
    item = tables["item_id"]
    assert rows.sequences.min() == item.offset
    assert rows.sequences.max() < item.offset + item.num_rows


def test_a_bucketed_number_is_a_categorical_field(encoder: Encoder) -> None:
    kinds = {field.name: field.kind for field in encoder.layout.fields}
    assert kinds["price"] == "categorical"
    assert kinds["follows"] == "numeric"


def test_pandas_and_json_give_the_same_ids_as_parquet(
    encoder: Encoder, config: DataConfig, dataset: ParquetDataset
) -> None:
    raw = dataset.head(200, config.validation, encoder.columns)
    expected = encoder.encode(raw)
    frame = raw.to_pandas()
    assert_equal(encoder.encode(frame), expected)
    assert_equal(encoder.encode(pa.Table.from_pandas(frame, preserve_index=False)), expected)
    through_json = json.loads(json.dumps(raw.to_pylist()))
    assert_equal(encoder.encode(pa.Table.from_pylist(through_json)), expected)
    assert_equal(encoder.encode(pd.DataFrame(through_json)), expected)


def test_floats_and_texts_give_the_same_ids(days: Path) -> None:
    encoder = fit(days, ITEM, SEEN, NumericFeature(name="price", domain="item"))
    expected = encoder.encode(
        pa.table({"item": [10, 20, None], "seen": [[10], [], None], "price": [1.0, None, 3.0]})
    )
    floats = pd.DataFrame({"item": [10.0, 20.0, None], "price": [1, None, 3]})
    floats["seen"] = [[10.0], [], None]
    assert_equal(encoder.encode(floats), expected)
    assert_equal(encoder.encode(pa.Table.from_pandas(floats)), expected)
    texts = pa.table(
        {"item": ["10", "20", None], "seen": [["10"], [], None], "price": ["1", None, "3.0"]}
    )
    assert_equal(encoder.encode(texts), expected)


def test_ids_logged_as_floats_or_numbered_texts(days: Path) -> None:
    encoder = fit(days, CategoricalFeature(name="price", domain="item"))
    ints = encoder.encode(pa.table({"price": [1, 2, 4, 3, None]})).ids[:, 0].tolist()
    assert ints == [3, 4, 5, UNKNOWN, NULL]
    assert encoder.encode(pa.table({"price": [1.0, 2.0]})).ids[:, 0].tolist() == [3, 4]


def test_a_column_may_be_missing_only_if_training_rows_had_nulls(days: Path) -> None:
    encoder = fit(days, ITEM, NumericFeature(name="price", domain="item"))
    assert np.isnan(encoder.encode(pa.table({"item": [10]})).numeric).all()
    for rows in (pa.table({"itm": [10], "price": [1.0]}), pd.DataFrame({"itm": [10]})):
        with pytest.raises(SchemaError, match="no column 'item': did you mean 'itm'"):
            encoder.encode(rows)


def test_encoding_no_rows(encoder: Encoder, dataset: ParquetDataset) -> None:
    raw = dataset.head(5, columns=encoder.columns)
    rows = encoder.encode(raw.slice(0, 0))
    assert rows.ids.shape == (0, len(encoder.layout.of_kind("categorical")))
    assert rows.sequences.shape == (0, 20)


def test_labels_and_users(days: Path) -> None:
    encoder = fit(days, ITEM)
    label, user = encoder.encode_labels(open_dataset(str(days)).head(4, columns=["click", "user"]))
    assert label.tolist() == [0, 1, 0, 1]
    assert user.tolist() == [0, 1, 2, 0]


def test_a_loaded_encoder_is_the_same(
    encoder: Encoder, config: DataConfig, dataset: ParquetDataset, tmp_path: Path
) -> None:
    encoder.save(str(tmp_path / "encoder"))
    again = Encoder.load(str(tmp_path / "encoder"))
    assert again.digest == encoder.digest
    assert again.layout == encoder.layout
    assert again.schema == encoder.schema
    raw = dataset.head(300, config.test, encoder.columns)
    assert_equal(again.encode(raw), encoder.encode(raw))
    assert {file.suffix for file in (tmp_path / "encoder").iterdir()} == {".json", ".parquet"}


def test_fitting_twice_gives_the_same_digest(
    encoder: Encoder, config: DataConfig, dataset: ParquetDataset
) -> None:
    assert Encoder.fit(dataset, encoder.schema, config.train).digest == encoder.digest


def test_object_storage(encoder: Encoder) -> None:
    encoder.save("memory://encoders/one")
    assert Encoder.load("memory://encoders/one").digest == encoder.digest


@pytest.mark.parametrize("damage", ["missing", "no-json", "changed", "short", "vocabulary"])
def test_a_damaged_encoder_is_refused(encoder: Encoder, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "encoder"
    if damage != "missing":
        encoder.save(str(folder))
    if damage == "no-json":
        (folder / "encoder.json").write_text("{")
    elif damage == "changed":
        text = (folder / "encoder.json").read_text()
        (folder / "encoder.json").write_text(text.replace('"deviation": ', '"deviation": 1'))
    elif damage == "short":
        (folder / "encoder.json").write_text('{"digest": "x", "state": {"format": 1}}')
    elif damage == "vocabulary":
        min(folder.glob("*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"encoder at .* fit it again") as caught:
        Encoder.load(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (CategoricalFeature(name="itme", domain="x"), "did you mean 'item'"),
        (CategoricalFeature(name="seen", domain="x"), "make it a sequence"),
        (NumericFeature(name="user", domain="x"), None),
        (NumericFeature(name="seen", domain="x"), "make it categorical"),
        (SequenceFeature(name="item", domain="x", length=2), "is a sequence but"),
    ],
)
def test_a_schema_that_does_not_fit_the_data(
    days: Path, feature: Any, message: str | None
) -> None:
    with pytest.raises(SchemaError, match=message):
        fit(days, feature)


def test_columns_of_times_that_are_missing_or_not_lists(days: Path) -> None:
    for times, message in (("sen", "did you mean 'seen'"), ("price", "which holds double")):
        timed = SEEN.model_copy(update={"times": times})
        features = (ITEM, timed)
        timed_schema = Schema(
            label="click", user="user", time="item", time_unit="s", features=features
        )
        with pytest.raises(SchemaError, match=message):
            Encoder.fit(open_dataset(str(days)), timed_schema)


def test_a_label_that_does_not_exist(days: Path) -> None:
    with pytest.raises(SchemaError, match="did you mean 'click'"):
        Encoder.fit(open_dataset(str(days)), Schema(label="klick", user="user", features=(ITEM,)))


def test_wrong_training_filters(days: Path) -> None:
    with pytest.raises(DataError, match="selects no rows"):
        fit(days, ITEM, train="date == 1")
    with pytest.raises(SpecError, match="position"):
        fit(days, ITEM, train="date = 1")
