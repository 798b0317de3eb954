"""The exported model gives the scores that its trial gave."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data import Encoder, open_dataset, open_split
from mixfront.exceptions import SchemaError, TrialError
from mixfront.training import Predictor, TrialRequest, TrialSession
from mixfront.training.metrics import ranking_metrics

MakeRequest = Callable[..., TrialRequest]
ALL = 10**9


@pytest.fixture
def trained(make_request: MakeRequest) -> tuple[TrialRequest, Any]:
    return train(make_request(passes=1, evaluate_every=1.0, zero_stage=3))


@pytest.fixture
def trained_with_events(make_request: MakeRequest) -> tuple[TrialRequest, Any]:
    return train(make_request(family="kunlun", passes=1, evaluate_every=1.0, zero_stage=3))


@pytest.fixture
def trained_on_groups(make_request: MakeRequest) -> tuple[TrialRequest, Any]:
    request = make_request(passes=1, evaluate_every=1.0, zero_stage=3)
    tokens = {"num_tokens": 8, "tokenizer": "semantic_groups", "tokenizer_hidden": 6}
    model = {**request.model, **tokens, "global_token": True}
    return train(request.model_copy(update={"model": model}))


def train(request: TrialRequest) -> tuple[TrialRequest, Any]:
    session = TrialSession(request)
    evaluation = session.advance()
    session.close()
    return request, evaluation


@pytest.mark.parametrize("name", ["trained", "trained_with_events", "trained_on_groups"])
def test_scores_of_raw_rows_are_those_of_the_trial(
    name: str, request: pytest.FixtureRequest
) -> None:
    trial, evaluation = request.getfixturevalue(name)
    predictor = Predictor.load(evaluation.model_url)
    sample = pq.read_table(f"{evaluation.model_url}/sample.parquet")
    told = json.loads(Path(f"{evaluation.model_url}/sample_scores.json").read_text())["scores"]
    found = predictor.predict(sample)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, told, atol=1e-7)
    data = trial.data
    dataset = open_dataset(data.path)
    rows = dataset.head(ALL, data.validation, predictor.columns)
    split = open_split(dataset, data.validation, Encoder.load(data.encoder))
    metrics = ranking_metrics(predictor.predict(rows), split.label, split.user)
    for name, value in metrics.items():
        assert evaluation.metrics[name] == pytest.approx(value, abs=1e-6)


def test_one_row_and_none_are_scored(trained: tuple[TrialRequest, Any]) -> None:
    predictor = Predictor.load(trained[1].model_url)
    sample = pq.read_table(f"{trained[1].model_url}/sample.parquet")
    whole = predictor.predict(sample)
    assert predictor.predict(sample.slice(3, 1)) == pytest.approx(whole[3:4], abs=1e-6)
    assert predictor.predict(sample.slice(0, 0)).shape == (0,)
    listed = pa.Table.from_pylist(sample.to_pylist())
    assert predictor.predict(listed) == pytest.approx(whole, abs=1e-6)


def test_frames_are_scored_as_tables_are(trained_with_events: tuple[TrialRequest, Any]) -> None:
    """Integers beside nulls as floats, objects or nullable; texts as categories; lists."""
    trial, evaluation = trained_with_events
    predictor = Predictor.load(evaluation.model_url)
    whole = open_dataset(trial.data.path).head(100)  # with the label, and what else is there
    assert any(whole[name].null_count for name in predictor.columns)
    expected = predictor.predict(whole)
    lists = whole.to_pandas()
    lists["history"] = pd.Series(whole["history"].to_pylist(), dtype=object)
    for frame in (
        whole.to_pandas(),
        whole.to_pandas(integer_object_nulls=True, strings_to_categorical=True),
        whole.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get),
        lists,
        lists.sample(frac=1, random_state=0).sort_index(),
        lists.set_index(lists.index + 1000),
    ):
        assert predictor.predict(frame) == pytest.approx(expected, abs=1e-6)
        assert predictor.predict(frame[5:6]) == pytest.approx(expected[5:6], abs=1e-6)
        assert predictor.predict(frame[:0]).shape == (0,)


def test_a_missing_column_is_named(trained: tuple[TrialRequest, Any]) -> None:
    predictor = Predictor.load(trained[1].model_url)
    sample = pq.read_table(f"{trained[1].model_url}/sample.parquet").drop_columns(["user_id"])
    for rows in (sample, sample.to_pandas()):
        with pytest.raises(SchemaError, match="no column 'user_id'"):
            predictor.predict(rows)


def test_a_column_of_a_wrong_type_is_named(trained: tuple[TrialRequest, Any]) -> None:
    predictor = Predictor.load(trained[1].model_url)
    frame = pq.read_table(f"{trained[1].model_url}/sample.parquet").to_pandas()
    frame["user_id"] = [[1]] * len(frame)
    with pytest.raises(SchemaError, match="'user_id' is categorical but its column holds list"):
        predictor.predict(frame)


def test_exchanged_weights_are_refused(trained: tuple[TrialRequest, Any]) -> None:
    weights = Path(trained[1].model_url) / "weights.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(TrialError, match="digest differs"):
        Predictor.load(trained[1].model_url)
