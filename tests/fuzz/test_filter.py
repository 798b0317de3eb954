"""Filters of rows."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.budget import fuzzed
from tests.fuzz.invariants import Outcome, call, sandbox

from mixfront.data import open_dataset

COLUMNS = {
    "flag": pa.array([True, None]),
    "tiny": pa.array([-128, 127], pa.int8()),
    "hash": pa.array([0, 2**64 - 1], pa.uint64()),
    "id": pa.array([-(2**63), 2**63 - 1], pa.int64()),
    "half": pa.array([1.5, None], pa.float16()),
    "price": pa.array([float("nan"), 1e308], pa.float64()),
    "exact": pa.array([Decimal("0.10"), None], pa.decimal128(5, 2)),
    "name": pa.array(["a", None]),
    "kind": pa.array(["x", "y"]).dictionary_encode(),
    "raw": pa.array([b"\xff", None], pa.binary()),
    "day": pa.array([dt.date(2026, 1, 1), None], pa.date32()),
    "at": pa.array([dt.datetime(2026, 1, 1), None], pa.timestamp("us", "UTC")),
    "clock": pa.array([dt.time(12), None], pa.time64("us")),
    "span": pa.array([1, None], pa.duration("s")),
    "list": pa.array([[1, 2], None]),
    "nested": pa.array([{"a": 1}, None]),
    "nothing": pa.nulls(2),
    "or": pa.array([1, 2]),
    "a b": pa.array([1, 2]),
}
LITERALS = (
    *(
        "0",
        "1",
        "-1",
        "1.5",
        "300",
        "1e999",
        "-1e999",
        "1e-999",
        "9223372036854775807",
        "18446744073709551615",
    ),
    *("1" * 5000, "0.1", "٣", "nan", "inf", "true", "null", "'a'", '"a"', "''", "'2026-01-01'"),
    *(
        "'2026-01-01T00:00:00Z'",
        "'9999999-01-01'",
        "'12:00:00'",
        "'12:00:00+25:00'",
        "'\\'",
        "'\\x00'",
        "'x" * 300 + "'",
    ),
)
MALICIOUS = (
    *(
        "__import__('os').system('touch pwned')",
        "id == 1; DROP TABLE x",
        "id.__class__ == 1",
        "eval('1')",
    ),
    *(
        "(lambda: 1)()",
        "id == open('/etc/passwd')",
        "1 == 1",
        "id",
        "id ==",
        "== 1",
        "id = 1",
        "id == id",
    ),
    *(
        "(" * 3000 + "id == 1",
        "((((id == 1",
        "id == 1)",
        "`id` == 1",
        "`` == 1",
        "`id == 1",
        "id in []",
        "id in [1,",
    ),
    *(
        " and ".join(["id == 1"] * 3000),
        " or ".join(["id == 1"] * 20000),
        "id in [" + "1," * 3000 + "1]",
    ),
    *(
        "id in [" + ",".join(map(str, range(1000))) + "]",
        "\x00",
        "\ud800 == 1",
        "id == 1 -- ",
        "İD == 1",
        "id\u2028== 1",
    ),
)

names = st.sampled_from([*COLUMNS, "`a b`", "`or`", "missing", "nested.a", "ID"])
literals = st.one_of(st.sampled_from(LITERALS), st.integers().map(str), st.floats().map(str))
lists = st.lists(literals, min_size=1, max_size=4).map(lambda items: f"[{', '.join(items)}]")
comparisons = st.one_of(
    st.tuples(names, st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), literals),
    st.tuples(names, st.just("in"), lists),
).map(" ".join)
trees = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(("and", "or")), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=6,
)
broken = st.tuples(
    trees, st.integers(0, 80), st.sampled_from(("", "(", ")", "'", "`", " and ", "\x00", "="))
).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :])
filters = st.one_of(trees, trees, broken, st.sampled_from(MALICIOUS), st.text(max_size=30))


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with a column of every kind of type."""
    folder = tmp_path_factory.mktemp("typed")
    pq.write_table(pa.table(COLUMNS), folder / "rows.parquet")
    return folder


@fuzzed("filter")
@given(text=filters)
def test_a_filter_selects_rows_or_is_refused_in_one_sentence(
    base: Path, typed: Path, text: str
) -> None:
    with sandbox(base, typed, "filter") as box:
        counted = call(box, lambda: open_dataset(str(typed)).count_rows(text))
        read = call(box, lambda: open_dataset(str(typed)).head(10, text).num_rows)
        assert _answer(counted) == _answer(read), "counting and reading rows disagree"


def _answer(outcome: Outcome) -> object:
    return outcome.value if outcome.error is None else type(outcome.error)
