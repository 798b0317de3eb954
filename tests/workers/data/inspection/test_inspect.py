"""Inspecting whole data sets."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data.dataset import ParquetDataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.inspection.inspect import inspect_data
from mixfront.data.schema import SequenceFeature, dump_schema, load_schema
from mixfront.data.synthetic.writer import SyntheticReport
from mixfront.exceptions import DataError, SchemaError


def test_synthetic_logs(
    synthetic: SyntheticReport, dataset: ParquetDataset, tmp_path: Path
) -> None:
    inspection = inspect_data(synthetic.path)
    schema = inspection.schema
    assert (schema.label, schema.user, schema.time) == ("click", "user_id", "time_ms")
    kinds = {feature.name: feature.kind for feature in schema.features}
    expected = {f.name: f.kind for f in load_schema(synthetic.schema).features}
    assert kinds == expected | {"follows": kinds["follows"]}
    assert inspection.num_rows == inspection.sampled == synthetic.num_rows
    assert inspection.warnings == ()
    assert schema.time_unit == "ms"
    assert [f.times for f in schema.features if isinstance(f, SequenceFeature)] == ["history_ms"]
    file = tmp_path / "proposed.yaml"
    file.write_text(dump_schema(schema))
    assert Encoder.fit(dataset, load_schema(str(file))).layout.num_rows > 100


@pytest.fixture
def logs(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    click = (rng.random(3000) < 0.3).astype(int)
    items = rng.integers(300, size=3000) * 7
    table = pa.table(
        {
            "uid": rng.integers(200, size=3000),
            "item": items,
            "seen": [rng.choice(items, 3).tolist() for _ in range(3000)],
            "seen_ts": [[1.7e9] * 3] * 3000,
            "opened": pa.array([[0]] * 3000, pa.list_(pa.timestamp("ms"))),
            "same": [1] * 3000,
            "leak": click * 2 + 5,
            "is_like": click * (rng.random(3000) < 0.1),
            "sparse": pa.array(rng.random(3000), mask=rng.random(3000) < 0.8),
            "age": np.where(rng.random(3000) < 0.2, -1, rng.integers(18, 80, 3000)),
            "is_click": click,
        }
    )
    folder = tmp_path / "logs" / "date=20260101"
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "a.parquet")
    return str(tmp_path / "logs")


def test_suspicious_columns_cause_warnings(logs: str) -> None:
    inspection = inspect_data(logs)
    warnings = dict(warning.split(": ", 1) for warning in inspection.warnings)
    assert warnings.keys() == {"same", "leak", "is_like", "sparse", "age", "seen_ts", "opened"}
    assert "AUC 1.000: a leak" in warnings["leak"]
    assert "another outcome" in warnings["is_like"]
    assert "81% nulls" in warnings["sparse"]
    assert "'-1'" in warnings["age"]
    assert "no column has the times of the rows; name it with --time" in warnings["seen_ts"]
    assert "no other list has as many items" in warnings["opened"]
    names = {feature.name for feature in inspection.schema.features}
    assert names == {"uid", "item", "seen", "sparse", "age"}


def test_a_list_of_ids_shares_the_table_of_the_ids(logs: str) -> None:
    (seen,) = [f for f in inspect_data(logs).schema.features if isinstance(f, SequenceFeature)]
    assert (seen.share, seen.length, seen.domain) == ("item", 3, "behaviour")


def test_label_and_user_may_be_named(logs: str) -> None:
    schema = inspect_data(logs, label="is_like", user="item").schema
    assert (schema.label, schema.user) == ("is_like", "item")


def test_roles_that_are_wrong_or_cannot_be_guessed_are_refused(logs: str) -> None:
    with pytest.raises(SchemaError, match="did you mean 'is_click'"):
        inspect_data(logs, label="isclick")
    with pytest.raises(DataError, match="neither 0 nor 1"):
        inspect_data(logs, label="age")
    file = Path(logs) / "date=20260101" / "a.parquet"
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["is_click"]), file)
    with pytest.raises(SchemaError, match="name it with --label"):
        inspect_data(logs)


def test_a_column_without_a_name_is_left_out(tmp_path: Path) -> None:
    rows = pa.table({"click": [0, 1, 0], "user_id": [1, 2, 3], "": [[1], [2, 3], []]})
    pq.write_table(rows, tmp_path / "rows.parquet")
    inspection = inspect_data(str(tmp_path))
    assert [feature.name for feature in inspection.schema.features] == ["user_id"]
    assert ": a column has no name; left out" in inspection.warnings
