"""The folder of a trained model, from which it is registered and served.

model.json            family, model keys, layout, temperature, digests, metrics
weights.safetensors   dense weights and the fused table, fp32
encoder/              the fitted encoder
sample.parquet        raw rows of the validation split
sample_scores.json    what the model gave for them
"""

import io
import json
from typing import Any

import pyarrow.parquet as pq

from mixfront.data import raw_rows
from mixfront.training.artifact_folder import ArtifactFolder
from mixfront.training.predict import DENSE, TABLES, Predictor
from mixfront.training.request import TrialRequest

SAMPLE_ROWS = 32


def export_model(url: str, predictor: Predictor, request: TrialRequest) -> None:
    """Write a model whole; `model.json` comes last.

    Args:
        url: ArtifactFolder, replaced if it exists.
        predictor: The model; its `about` becomes model.json.
        request: Where raw validation rows are.
    """
    folder = ArtifactFolder(url)
    folder.remove("model.json")
    weights = {DENSE + k: v for k, v in predictor.scorer.ranker.state_dict().items()}
    weights[f"{TABLES}weight"] = predictor.scorer.tables.weight
    file = folder.write_tensors("weights.safetensors", weights)
    predictor.encoder.save(f"{folder.url}/encoder")
    _write_sample(folder, predictor, request)
    about: dict[str, Any] = {**predictor.about, "weights": file.model_dump()}
    folder.write("model.json", json.dumps(about, indent=1).encode())


def _write_sample(folder: ArtifactFolder, predictor: Predictor, request: TrialRequest) -> None:
    data = request.data
    sample = raw_rows(data.path, data.validation, list(predictor.columns), SAMPLE_ROWS)
    buffer = io.BytesIO()
    pq.write_table(sample, buffer)
    folder.write("sample.parquet", buffer.getvalue())
    scores = [float(score) for score in predictor.predict(sample)]
    folder.write("sample_scores.json", json.dumps({"scores": scores}, indent=1).encode())
