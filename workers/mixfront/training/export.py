"""The folder of a trained model, from which it is registered and served.

model.json            family, model keys, layout, temperature, digests, metrics
weights.safetensors   dense weights and the fused table, fp32
encoder/              the fitted encoder
sample.parquet        raw rows of the validation split
sample_scores.json    the model's scores for these rows
"""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mixfront.training.artifact_folder import ArtifactFolder
from mixfront.training.predict import DENSE, TABLES, Predictor

SAMPLE_ROWS = 32  # raw rows that are saved with a model and its scores


def export_model(url: str, predictor: Predictor, sample: pa.Table) -> None:
    """Write a complete model; `model.json` is written last.

    Args:
        url: The folder, replaced if it exists.
        predictor: The model; its `about` becomes model.json.
        sample: Raw rows to save with their scores.
    """
    folder = ArtifactFolder(url)
    folder.remove("model.json")
    weights = {DENSE + k: v for k, v in predictor.scorer.ranker.state_dict().items()}
    weights[f"{TABLES}weight"] = predictor.scorer.tables.weight
    file = folder.write_tensors("weights.safetensors", weights)
    predictor.encoder.save(f"{folder.url}/encoder")
    _write_sample(folder, predictor, sample)
    about: dict[str, Any] = {**predictor.about, "weights": file.model_dump()}
    folder.write("model.json", json.dumps(about, indent=1).encode())


def _write_sample(folder: ArtifactFolder, predictor: Predictor, sample: pa.Table) -> None:
    buffer = io.BytesIO()
    pq.write_table(sample, buffer)
    folder.write("sample.parquet", buffer.getvalue())
    scores = [float(score) for score in predictor.predict(sample)]
    folder.write("sample_scores.json", json.dumps({"scores": scores}, indent=1).encode())
