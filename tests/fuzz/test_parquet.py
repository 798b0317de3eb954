"""Parquet files of any types, some of them damaged."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import call, invoke, sandbox
from tests.fuzz.yaml_inputs import damaged

from mixfront.data import Encoder, load_schema, open_dataset, open_split

TYPES: tuple[Any, ...] = (
    *(
        pa.int8(),
        pa.int64(),
        pa.uint64(),
        pa.float16(),
        pa.float32(),
        pa.float64(),
        pa.bool_(),
        pa.string(),
    ),
    *(
        pa.large_string(),
        pa.binary(),
        pa.date32(),
        pa.timestamp("ns"),
        pa.timestamp("ms", "UTC"),
        pa.time32("s"),
    ),
    *(
        pa.decimal128(38, 10),
        pa.duration("ms"),
        pa.null(),
        pa.list_(pa.int64()),
        pa.list_(pa.string()),
    ),
    *(
        pa.large_list(pa.float32()),
        pa.list_(pa.int32(), 2),
        pa.list_(pa.list_(pa.int8())),
        pa.struct([("a", pa.int8())]),
    ),
    *(pa.map_(pa.string(), pa.int8()), pa.dictionary(pa.int32(), pa.string()), pa.string_view()),
)
NUMBERS = (0, 1, 1, 0, -1, 2, 127, None)
NAMES = (
    "click",
    "user_id",
    "time_ms",
    "item_id",
    "history",
    "date",
    "",
    "a b",
    "[red]",
    "x" * 300,
    "é\n",
    "\x1b[2J",
)


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pa.Table:
    """A table whose columns have any names and types; often one can be the label."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=7))
    arrays = [_column(draw, rows, draw(st.sampled_from(TYPES))) for _ in names]
    if draw(st.integers(0, 3)):
        labels = draw(st.lists(st.sampled_from((0, 1)), min_size=rows, max_size=rows))
        names, arrays = (
            [*names, "click", "user_id"],
            [*arrays, pa.array(labels, pa.int64()), pa.array(range(rows))],
        )
    kept = dict(zip(names, arrays, strict=True))
    if draw(st.integers(0, 5)):
        return pa.table(kept)
    return pa.Table.from_arrays(arrays, names)  # may have two columns of one name


def _column(draw: st.DrawFn, rows: int, kind: Any) -> Any:
    picks = draw(st.lists(st.sampled_from(NUMBERS), min_size=rows, max_size=rows))
    array = pa.array([_value(kind, pick) for pick in picks], _plain(kind))
    return array if array.type == kind else array.cast(kind)


def _plain(kind: Any) -> Any:
    return pa.string() if pa.types.is_dictionary(kind) or kind == pa.string_view() else kind


def _value(kind: Any, pick: int | None) -> Any:
    types = pa.types
    if pick is None or types.is_null(kind):
        return None
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        size = 2 if types.is_fixed_size_list(kind) else abs(pick) % 4
        return [_value(kind.value_type, pick)] * size
    if types.is_struct(kind):
        return {"a": abs(pick) % 100}
    if types.is_map(kind):
        return [("k", abs(pick) % 100)]
    if types.is_binary(kind) or types.is_dictionary(kind) or "string" in str(kind):
        text = ("", "a", "-1", "nan", "é" * 50, "x" * 100_000)[abs(pick) % 6]
        return text.encode() if types.is_binary(kind) else text
    if types.is_boolean(kind):
        return bool(pick)
    if types.is_floating(kind):
        value = float("nan") if pick == 2 else float("inf") if pick == 127 else pick / 2
        return np.float16(value) if kind == pa.float16() else value
    return abs(pick) if types.is_unsigned_integer(kind) or types.is_temporal(kind) else pick


@fuzzed("parquet")
@given(
    draws=st.data(),
    rows=st.sampled_from((0, 1, 2, 30)),
    harm=st.integers(0, 2),
    files=st.integers(1, 2),
    as_json=st.booleans(),
)
def test_parquet_is_profiled_and_encoded_or_refused_in_one_sentence(
    base: Path, draws: st.DataObject, rows: int, harm: int, files: int, as_json: bool
) -> None:
    folder = base / "parquet-logs"
    with sandbox(base, folder, "parquet") as box:
        for number in range(files):
            content = _parquet(draws.draw(columns(rows)))
            if harm == 0:
                content = draws.draw(damaged(content))
            part = draws.draw(
                st.sampled_from(
                    ("", "date=2026/", "date=x/", "a=b=c/", "date=__HIVE_DEFAULT_PARTITION__/")
                )
            )
            box.write(f"logs/{part}{number}.parquet", content)
        schema = box.work / "schema.yaml"
        words = [
            "data",
            "inspect",
            str(box.root / "logs"),
            "--out",
            str(schema),
            *["--json"] * as_json,
        ]
        if invoke(box, words, [schema]).status == 0:
            call(box, lambda: _encode(box.root / "logs", schema))


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=10)
    return sink.getvalue()


def _encode(logs: Path, schema: Path) -> None:
    dataset = open_dataset(str(logs))
    open_split(dataset, None, Encoder.fit(dataset, load_schema(str(schema)), None))
