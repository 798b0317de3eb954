"""The checks of the data before a search agree with what the search later does."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mixfront.data.cache import open_split
from mixfront.data.config import DataConfig
from mixfront.data.dataset import open_dataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.row_counts import count_rows
from mixfront.data.schema import Schema, dump_schema
from mixfront.exceptions import DataError, MixfrontError, SchemaError

MOMENTS = [dt.datetime(2026, 1, 1, 10), dt.datetime(2026, 1, 2, 10)]
DATES = [moment.date() for moment in MOMENTS]
TIMES = [dt.time(10), dt.time(11)]
COLUMNS = {
    "int8": pa.array([0, 1], pa.int8()),
    "int64": pa.array([2**60 + 1, -1]),
    "uint64": pa.array([2**64 - 1, 0], pa.uint64()),
    "float16": pa.array([0, 1], pa.float16()),
    "float32": pa.array([0.1, 2.5], pa.float32()),
    "float64": pa.array([0.1, float("nan")]),
    "bool": pa.array([False, True]),
    "string": pa.array(["a", "2026-01-01"]),
    "large_string": pa.array(["a", "1"], pa.large_string()),
    "string_view": pa.array(["a", "1"], pa.string_view()),
    "binary": pa.array([b"a", b"\xff"]),
    "large_binary": pa.array([b"a", b"\xff"], pa.large_binary()),
    "fixed_binary": pa.array([b"a", b"\xff"], pa.binary(1)),
    "date32": pa.array(DATES),
    "date64": pa.array(DATES, pa.date64()),
    "timestamp_s": pa.array(MOMENTS, pa.timestamp("s")),
    "timestamp_ns": pa.array(MOMENTS, pa.timestamp("ns")),
    "timestamp_utc": pa.array(MOMENTS, pa.timestamp("us", "UTC")),
    "timestamp_zone": pa.array(MOMENTS, pa.timestamp("ms", "Europe/Berlin")),
    "time32": pa.array(TIMES, pa.time32("ms")),
    "time64": pa.array(TIMES, pa.time64("us")),
    "duration": pa.array([1, 2], pa.duration("ms")),
    "decimal32": pa.array([Decimal("1.50"), Decimal("0.10")], pa.decimal32(5, 2)),
    "decimal128": pa.array([Decimal("1.50"), Decimal("0.10")], pa.decimal128(38, 2)),
    "decimal256": pa.array([Decimal("1.50"), Decimal("0.10")], pa.decimal256(60, 2)),
    "dictionary": pa.array(["a", "b"]).dictionary_encode(),
    "dictionary_int": pa.array([0, 1]).dictionary_encode(),
    "list": pa.array([[1], [2, 3]]),
    "list_string": pa.array([["a"], ["b", "c"]]),
    "list_view": pa.array([["a"], ["b", "c"]], pa.list_(pa.string_view())),
    "binary_view": pa.array([b"a", b"b"], pa.binary_view()),
    "list_timestamp": pa.array([[MOMENTS[0]], [MOMENTS[1]]]),
    "list_struct": pa.array([[{"y": 1}], [{"y": 2}]]),
    "list_list": pa.array([[[1]], [[2]]]),
    "fixed_list": pa.array([[1, 2], [2, 3]], pa.list_(pa.int64(), 2)),
    "large_list": pa.array([[1], [2, 3]], pa.large_list(pa.int64())),
    "struct": pa.array([{"y": 1}, {"y": 2}]),
    "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    "nothing": pa.nulls(2),
}
LITERALS = [
    *("0", "1", "-1", "2.5", "0.1", "1e10", "9223372036854775807", "1e300", "1e999", "true"),
    *("'a'", "'2026-01-01'", "'2026-01-01T10:00:00'", "'2026-01-01T10:00:00Z'", "'10:00:00'"),
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows in two files, with a column of every type, and with nulls in the second file."""
    folder = tmp_path_factory.mktemp("types")
    columns = {"label": pa.array([0, 1]), "who": pa.array(["u", "v"]), **COLUMNS}
    nulls = {
        name: pa.nulls(2, column.type) if name not in ("label", "who", "fixed_list") else column
        for name, column in columns.items()
    }
    pq.write_table(pa.table(columns), folder / "a.parquet")
    pq.write_table(pa.table(nulls), folder / "b.parquet")
    return folder


def outcome(call: Any) -> Any:
    """The result of a call, or the class and message of its MixfrontError."""
    try:
        return call()
    except MixfrontError as error:
        return type(error), str(error).replace("\n", "more than one line")


def config_of(folder: Path, schema: Schema, **filters: str | None) -> DataConfig:
    (folder / "schema.yaml").write_text(dump_schema(schema))
    values = {"path": str(folder), "schema": str(folder / "schema.yaml"), **filters}
    return DataConfig.model_validate({"validation": "label >= 0", **values})


def schema_of(**changes: Any) -> Schema:
    feature = {"name": "who", "kind": "categorical", "domain": "user"}
    return Schema.model_validate(
        {"label": "label", "user": "who", "features": [feature], **changes}
    )


def comparisons(column: str) -> st.SearchStrategy[str]:
    literals = st.sampled_from(LITERALS)
    one = st.builds(
        "{} {} {}".format,
        st.just(column),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        literals,
    )
    several = st.lists(literals, min_size=1, max_size=3).map(
        lambda chosen: f"{column} in [{', '.join(chosen)}]"
    )
    return one | several | st.sampled_from([f"{column} == null", f"{column} != null"])


FILTERS = st.recursive(
    st.sampled_from([*COLUMNS, "no_such_column"]).flatmap(comparisons),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=3,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=FILTERS)
@example(text="date32 == '2026-01-01'")
@example(text="timestamp_utc > '2026-01-01'")
@example(text="time32 == '10:00:00'")
@example(text="duration > '1'")
@example(text="decimal128 == 1")
@example(text="int64 > 1.5")
@example(text="uint64 != 0")
@example(text="float16 < 1")
@example(text="float64 < 1")
@example(text="dictionary != null")
@example(text="string_view == 'a' and list_view != null")
def test_filters_on_any_column_are_counted_and_scanned_alike(logs: Path, text: str) -> None:
    config = config_of(logs, schema_of(), validation=text)

    def scan_rows() -> int:
        return sum(table.num_rows for table in open_dataset(str(logs)).scan(text, ["label"]))

    counted = outcome(lambda: count_rows(config)["validation"])
    assert counted == outcome(scan_rows)
    assert "more than one line" not in str(counted)


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "fixed_list"])
def test_nulls_of_any_column_are_found(logs: Path, column: str) -> None:
    num_nulls = 2 + COLUMNS[column].null_count
    config = config_of(logs, schema_of(), validation=f"label == null or {column} == null")
    assert count_rows(config)["validation"] == num_nulls
    if num_nulls == 2:
        valid = config.model_copy(update={"validation": f"{column} != null"})
        assert count_rows(valid)["validation"] == 2


def feature(kind: str, **keys: Any) -> dict[str, Any]:
    return {"name": "it", "kind": kind, "domain": "x", **keys}


ROLES: dict[str, Any] = {
    "label": lambda column: {"label": column},
    "user": lambda column: {"user": column},
    "vocabulary": lambda column: {"features": [feature("categorical", column=column)]},
    "hash": lambda column: {
        "features": [feature("categorical", column=column, encoding="hash", buckets=5)]
    },
    "standard": lambda column: {"features": [feature("numeric", column=column)]},
    "log": lambda column: {"features": [feature("numeric", column=column, encoding="log")]},
    "buckets": lambda column: {
        "features": [feature("numeric", column=column, encoding="buckets")]
    },
    "sequence": lambda column: {"features": [feature("sequence", column=column, length=2)]},
    "shared": lambda column: {
        "features": [
            feature("sequence", column=column, length=2, share="who"),
            {"name": "who", "kind": "categorical", "domain": "user"},
        ]
    },
    "times": lambda column: {
        "time": "timestamp_s",
        "time_unit": "s",
        "features": [feature("sequence", column="list", length=2, times=column)],
    },
    "times_without_unit": lambda column: {
        "time": "timestamp_s",
        "features": [feature("sequence", column="list", length=2, times=column)],
    },
    "time": lambda column: {
        "time": column,
        "features": [
            feature("sequence", column="list_timestamp", length=2, times="list_timestamp")
        ],
    },
    "time_of_nothing": lambda column: {"time": column},
}
BY_VALUE = (
    "but a value is",
    "a string in",
)  # errors about values, which a check of the types cannot predict


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("column", [*COLUMNS, "no_such_column"])
def test_types_are_refused_as_the_encoder_refuses_them(
    logs: Path, tmp_path: Path, role: str, column: str
) -> None:
    schema = schema_of(**ROLES[role](column))
    config = config_of(tmp_path, schema).model_copy(update={"path": str(logs)})

    def encode_split() -> int:
        dataset = open_dataset(str(logs))
        encoder = Encoder.fit(dataset, schema)
        return open_split(dataset, config.validation, encoder, tmp_path).num_rows

    checked, encoded = outcome(lambda: count_rows(config)["validation"]), outcome(encode_split)
    if isinstance(checked, int) and isinstance(encoded, tuple):
        error, message = encoded
        assert error is DataError or any(part in message for part in BY_VALUE)
    else:
        assert checked == encoded


def test_every_split_is_counted(days: Path) -> None:
    item = {"name": "item", "kind": "categorical", "domain": "item"}
    schema = Schema.model_validate({"label": "click", "user": "user", "features": [item]})
    config = config_of(days, schema, train="date == 20260101 and item > 0", validation="item > 40")
    assert count_rows(config) == {"train": 3, "validation": 3}
    assert count_rows(config.model_copy(update={"train": None, "test": "item == 70"})) == {
        "train": 8,
        "validation": 3,
        "test": 1,
    }
    with pytest.raises(DataError, match="'item > 70' selects no rows"):
        count_rows(config.model_copy(update={"validation": "item > 70"}))


def test_no_row_is_read(days: Path) -> None:
    """Counting by a partition column needs only the footers."""
    for file in days.rglob("*.parquet"):
        content = bytearray(file.read_bytes())
        content[4:100] = b"\0" * 96
        file.write_bytes(content)
    item = {"name": "item", "kind": "categorical", "domain": "item"}
    schema = Schema.model_validate({"label": "click", "user": "user", "features": [item]})
    assert count_rows(config_of(days, schema, validation="date == 20260102"))["validation"] == 4
    seen = [{"name": "seen", "kind": "categorical", "domain": "item"}]
    wrong = config_of(days, Schema.model_validate(schema.model_dump() | {"features": seen}))
    with pytest.raises(SchemaError, match="'seen' is categorical"):
        count_rows(wrong)
