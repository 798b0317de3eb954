"""Rows in any supported form give the same ids, and so the same scores."""

import datetime
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from mixfront.data import Encoder, Schema, open_dataset
from mixfront.models import build_ranker, make_config
from mixfront.registry.packing import log_model
from mixfront.registry.server import registry, silenced
from mixfront.registry.signature import as_frame
from mixfront.training import Predictor
from mixfront.training.export import export_model
from mixfront.training.predict import Scorer
from mixfront.training.tables.embedding import EmbeddingTables

Served = tuple[Any, Predictor]

NOON = datetime.datetime(2026, 1, 5, 12)
COUNT = 40  # rows
MODEL = {
    "embedding_dim": 4,
    "num_tokens": 4,
    "token_dim": 8,
    "sequence_tokens": 2,
    "seq_len": 3,
    "num_heads": 2,
    "position": "rote",
}
SCHEMA = Schema.model_validate(
    {
        "label": "click",
        "user": "user",
        "time": "shown_at",
        "features": [
            {"name": "user", "kind": "categorical", "domain": "user"},
            {"name": "shop", "kind": "categorical", "domain": "item"},
            {"name": "item", "kind": "categorical", "domain": "item"},
            {"name": "is_new", "kind": "categorical", "domain": "item"},
            {"name": "tag", "kind": "categorical", "domain": "item"},
            {"name": "day", "kind": "categorical", "domain": "item"},
            {"name": "price", "kind": "numeric", "domain": "item"},
            {"name": "stock", "kind": "numeric", "domain": "item"},
            {
                "name": "seen",
                "kind": "sequence",
                "domain": "behaviour",
                "length": 3,
                "share": "item",
                "times": "seen_at",
            },
        ],
    }
)


def every(step: int, values: list[Any]) -> list[Any]:
    """Cycle through `values`, with null in every `step`-th row."""
    return [None if row % step == 2 else values[row % len(values)] for row in range(COUNT)]


def history(item: Callable[[int], Any]) -> list[Any]:
    """Lists of 4, 3, 2, 1 and 0 items, then a null, repeated."""
    return [
        None if row % 6 == 5 else [item(i) for i in range(4 - row % 6)] for row in range(COUNT)
    ]


ROWS = pa.table(
    {
        "user": pa.array([2**60 + row % 7 for row in range(COUNT)], pa.int64()),
        "shop": pa.array(every(3, [2**55 + 1, 2**55 + 2, 2**55 + 3, 2**55 + 4]), pa.int64()),
        "item": pa.array(every(5, [1, 2, 3, 4]), pa.int32()),
        "is_new": pa.array(every(4, [True, False, False])),
        "tag": pa.array(every(4, ["a", "b", "c"])).dictionary_encode(),
        "day": pa.array(every(7, [datetime.date(2026, 1, day) for day in (1, 2, 3)])),
        "shown_at": pa.array([NOON] * COUNT, pa.timestamp("us")),
        "price": pa.array(every(5, [0.5, 1.25, 9.0])),
        "stock": pa.array(every(6, [3, 1, 2, 8]), pa.int16()),
        "seen": pa.array(history(lambda i: i + 1), pa.list_(pa.int64())),
        "seen_at": pa.array(
            history(lambda i: NOON - datetime.timedelta(hours=9 * i + 1)),
            pa.list_(pa.timestamp("us")),
        ),
        "click": pa.array([row % 2 for row in range(COUNT)], pa.int8()),
        "not read": pa.array([{"a": 1}] * COUNT),
    }
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Served:
    """A model with random weights, as loaded by MLflow, and its predictor."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "data").mkdir()
    pq.write_table(ROWS, folder / "data" / "rows.parquet")
    predictor = random_model(Encoder.fit(open_dataset(f"{folder}/data"), SCHEMA))
    export_model(f"{folder}/final", predictor, ROWS.select(predictor.columns))
    uri = f"sqlite:///{shutil.copy(empty_mlflow, folder)}"
    with registry(uri) as client, silenced():
        import mlflow

        experiment = client.create_experiment("served", artifact_location=f"{folder}/artifacts")
        model_id = log_model(
            run_id=client.create_run(experiment).info.run_id,
            final=folder / "final",
            sample=ROWS.select(list(predictor.columns)),
            work=folder,
        )
        return mlflow.pyfunc.load_model(f"models:/{model_id}"), predictor


def random_model(encoder: Encoder) -> Predictor:
    """A model with weights so large that every id changes the score."""
    config = make_config("kunlun", MODEL)
    ranker = build_ranker("kunlun", config, encoder.layout, auxiliary=False)
    tables = EmbeddingTables.fresh(encoder.layout, config.embedding_dim, init_std=1.0, seed=1)
    scorer = Scorer("kunlun", MODEL, encoder.layout, ranker.state_dict(), tables.weight)
    about = {"family": "kunlun", "model": MODEL, "encoder_digest": encoder.digest}
    return Predictor(encoder, scorer, about)


def without(table: pa.Table, name: str) -> pa.Table:
    """The table with one column set to null."""
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.nulls(table.num_rows, table.schema.field(at).type))


def retyped(name: str, values: list[Any], dtype: Any = object) -> pd.DataFrame:
    """The rows with one column of another type."""
    frame = as_frame(ROWS)
    frame[name] = pd.Series(values, dtype=dtype)
    return frame


def objects(name: str) -> list[Any]:
    """A column as Python objects."""
    values: list[Any] = ROWS[name].to_pylist()
    return values


FRAMES = {
    "integers with nulls as objects": as_frame(ROWS),
    "nullable integers": ROWS.to_pandas(
        types_mapper={
            pa.int64(): pd.Int64Dtype(),
            pa.int32(): pd.Int32Dtype(),
            pa.int16(): pd.Int16Dtype(),
            pa.bool_(): pd.BooleanDtype(),
            pa.string(): pd.StringDtype("python"),
        }.get
    ),
    "arrow types": ROWS.to_pandas(types_mapper=pd.ArrowDtype),
    "a table": ROWS,
    "lists": retyped("seen", objects("seen")),
    "lists with NaN for null": retyped(
        "seen", [[np.nan][0] if v is None else v for v in objects("seen")]
    ),
    "tuples": retyped("seen", [None if v is None else tuple(v) for v in objects("seen")]),
    "arrays of floats": retyped(
        "seen", [None if v is None else np.array(v, np.float64) for v in objects("seen")]
    ),
    "categories as strings": retyped("tag", objects("tag"), "str"),
    "categories as objects": retyped("tag", objects("tag")),
    "numbers as strings": retyped("user", [str(user) for user in objects("user")]),
    "unsigned": retyped("user", objects("user"), "uint64"),
    "days as strings": retyped("day", [None if v is None else str(v) for v in objects("day")]),
    "times as strings": retyped("shown_at", [time.isoformat() for time in objects("shown_at")]),
    "times as objects": retyped("shown_at", objects("shown_at")),
    "times with another unit": retyped("shown_at", objects("shown_at"), "datetime64[s]"),
    "lists of times": retyped("seen_at", objects("seen_at")),
    "lists of times as strings": retyped(
        "seen_at",
        [None if v is None else [time.isoformat() for time in v] for v in objects("seen_at")],
    ),
    "booleans as integers": retyped("is_new", objects("is_new"), "Int8"),
    "decimals": retyped("price", pc.cast(ROWS["price"], pa.decimal128(5, 2)).to_pylist()),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_of_every_kind(served: Served, name: str) -> None:
    model, predictor = served
    expected = predictor.predict(ROWS)
    assert len(np.unique(expected)) > COUNT / 2
    scores = model.predict(FRAMES[name])
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    one = FRAMES[name][7:8] if isinstance(FRAMES[name], pd.DataFrame) else ROWS.slice(7, 1)
    np.testing.assert_allclose(model.predict(one), expected[7:8], atol=1e-6)


def test_integers_with_nulls_may_be_floats(served: Served) -> None:
    """`pd.read_parquet` makes such floats, which are exact below 2^53."""
    model, predictor = served
    rows = without(ROWS, "shop")
    frame = rows.to_pandas()
    assert frame["item"].dtype == np.float64
    np.testing.assert_allclose(model.predict(frame), predictor.predict(rows), atol=1e-6)


def test_ids_above_2_to_the_53_are_distinguished(served: Served) -> None:
    model, predictor = served
    ids = predictor.encoder.encode(as_frame(ROWS)).ids
    assert len(np.unique(ids[:, 0])) == 7  # users
    assert len(np.unique(ids[:, 1])) == 5  # shops, and null
    assert len(np.unique(model.predict(as_frame(ROWS)[:7]))) == 7


def records(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows as JSON records."""
    listed: list[dict[str, Any]] = json.loads(json.dumps(rows.to_pylist(), default=str))
    return listed


def split(rows: pa.Table) -> dict[str, Any]:
    return {"columns": rows.column_names, "data": [list(r.values()) for r in records(rows)]}


def ask(model: Any, body: object) -> NDArray[np.float64]:
    """The predictions of MLflow's server."""
    with silenced():
        from mlflow.pyfunc.scoring_server import invocations

    response = invocations(json.dumps(body), "application/json", model, None)  # type: ignore[no-untyped-call]

    assert response.status == 200
    return np.array(json.loads(response.response)["predictions"])


def test_json(served: Served) -> None:
    model, predictor = served
    expected = predictor.predict(ROWS)
    np.testing.assert_allclose(ask(model, {"inputs": records(ROWS)}), expected, atol=1e-6)
    # for these two forms, MLflow's server makes floats of integers with nulls
    rows = without(ROWS, "shop")
    expected = predictor.predict(rows)
    np.testing.assert_allclose(ask(model, {"dataframe_split": split(rows)}), expected, atol=1e-6)
    np.testing.assert_allclose(
        ask(model, {"dataframe_records": records(rows)}), expected, atol=1e-6
    )


def test_one_record_and_lists_by_column(served: Served) -> None:
    model, predictor = served
    expected = predictor.predict(ROWS)
    first = records(ROWS)[0]
    np.testing.assert_allclose(ask(model, {"inputs": first}), expected[:1], atol=1e-6)
    by_column = {name: [row[name] for row in records(ROWS)] for name in ROWS.column_names}
    np.testing.assert_allclose(model.predict(by_column), expected, atol=1e-6)


def test_other_columns_are_ignored_silently(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    model, predictor = served
    assert set(ROWS.column_names) > set(predictor.columns)
    model.predict(as_frame(ROWS))
    output = capfd.readouterr()
    assert output.out + output.err == ""


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (as_frame(ROWS.drop_columns(["user"])), "no column 'user'"),
        (ROWS.drop_columns(["user"]), "no column 'user'"),
        (records(ROWS.drop_columns(["user"])), "no column 'user'"),
        (pd.concat([as_frame(ROWS), as_frame(ROWS)[["tag"]]], axis=1), "column 'tag' twice"),
        (retyped("tag", [["a"]] * COUNT), "'tag' is categorical but its column holds list"),
        (
            retyped("shop", [datetime.date(2026, 1, 1)] * COUNT),
            "'shop' cannot be read from date32",
        ),
        (retyped("price", ["cheap"] * COUNT), "'price' is numeric but a value is 'cheap'"),
        (retyped("seen", [1] * COUNT), "'seen' is a sequence but its column holds int64"),
        (retyped("seen", [[1]] * COUNT), "1 events in 'seen' and 4 times in 'seen_at'"),
        (retyped("user", ["a", 1] * (COUNT // 2)), "column 'user' cannot be read"),
        (retyped("user", [2**70] * COUNT), "column 'user' cannot be read"),
        (retyped("shown_at", ["noon"] * COUNT), "a string in 'shown_at' is"),
        (np.zeros((2, 3)), "the rows have the type ndarray"),
        ([1, 2], "the rows have the type list"),
    ],
)
def test_bad_rows_are_refused_with_the_column(served: Served, rows: Any, message: str) -> None:
    with pytest.raises(MlflowException, match=message) as caught:
        served[0].predict(rows)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"  # status 400
    assert "\n" not in caught.value.message


def test_a_refused_request_has_the_reason(served: Served) -> None:
    with pytest.raises(MlflowException, match="no column 'user'") as caught:
        ask(served[0], {"dataframe_records": records(ROWS.drop_columns(["user"]))})
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"  # status 400
