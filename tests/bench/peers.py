"""The baselines of the KuaiRand comparison, fitted on the same rows as our models."""

from collections.abc import Mapping

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mixfront.data import Schema

Scores = npt.NDArray[np.float64]
STRENGTHS = (0.01, 0.1)  # C of the logistic regression, chosen on validation


def fit_lightgbm(splits: Mapping[str, pa.Table], schema: Schema) -> Scores:
    """Test scores of LightGBM with 63 leaves; lists become their length and first element."""
    frames = {name: _frame(table, schema) for name, table in splits.items()}
    labels = {name: table[schema.label].to_numpy() for name, table in splits.items()}
    for column in frames["train"].select_dtypes("category"):
        kinds = frames["train"][column].cat.categories
        for frame in frames.values():
            frame[column] = frame[column].cat.set_categories(kinds)
    booster = lightgbm.train(
        {
            "objective": "binary",
            "metric": "auc",
            "num_leaves": 63,
            "learning_rate": 0.1,
            "verbosity": -1,
            "seed": 0,
        },
        lightgbm.Dataset(frames["train"], labels["train"]),
        num_boost_round=300,
        valid_sets=[lightgbm.Dataset(frames["validation"], labels["validation"])],
        callbacks=[lightgbm.early_stopping(20, verbose=False)],
    )
    return np.asarray(booster.predict(frames["test"]), dtype=np.float64)


def fit_logistic_regression(splits: Mapping[str, pa.Table], schema: Schema) -> Scores:
    """Test scores of an L2-regularised logistic regression on one-hot ids, C from validation."""
    frames = {name: _frame(table, schema) for name, table in splits.items()}
    labels = {name: table[schema.label].to_numpy() for name, table in splits.items()}
    matrices = _one_hot(frames)
    best: tuple[float, Scores] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=100).fit(
            matrices["train"], labels["train"]
        )
        valid = model.predict_proba(matrices["validation"])[:, 1]
        auc = float(roc_auc_score(labels["validation"], valid))
        if best is None or auc > best[0]:
            best = auc, model.predict_proba(matrices["test"])[:, 1]
    assert best is not None
    return best[1]


def _one_hot(frames: Mapping[str, pd.DataFrame]) -> dict[str, sparse.csr_matrix]:
    ids = list(frames["train"].select_dtypes("category"))
    numbers = [column for column in frames["train"] if column not in ids]
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=5)
    scaler = StandardScaler()
    encoder.fit(frames["train"][ids].astype(str))
    scaler.fit(_filled(frames["train"][numbers]))
    return {
        name: sparse.hstack(
            [
                encoder.transform(frame[ids].astype(str)),
                sparse.csr_matrix(scaler.transform(_filled(frame[numbers]))),
            ],
            format="csr",
        )
        for name, frame in frames.items()
    }


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    return np.sign(frame.fillna(0.0)) * np.log1p(np.abs(frame.fillna(0.0)))


def _frame(table: pa.Table, schema: Schema) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {}
    for feature in schema.features:
        column = table[feature.column or feature.name].to_pandas()
        if feature.kind == "sequence":
            columns[f"{feature.name}_length"] = column.map(len).astype(float)
            first = column.map(lambda items: items[0] if len(items) else -1)
            columns[f"{feature.name}_first"] = first.astype("category")
        elif feature.kind == "categorical":
            columns[feature.name] = column.astype("category")
        else:
            columns[feature.name] = column.astype(float)
    return pd.DataFrame(columns)
