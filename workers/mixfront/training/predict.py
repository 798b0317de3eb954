"""A trained model as a plain fp32 function: raw rows in, probabilities out.

The registered model, the sample scores next to it, and the final metrics of a trial all come
from `Scorer.probabilities`.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixfront.data import Batch, EncodedRows, Encoder, FeatureLayout
from mixfront.exceptions import TrialError
from mixfront.models import build_ranker, make_config
from mixfront.training.artifact_folder import ArtifactFolder, ShardFile
from mixfront.training.tables.embedding import EmbeddingTables

if TYPE_CHECKING:
    import pandas as pd

BATCH_SIZE = 4096
DENSE, TABLES = "ranker.", "tables."  # prefixes of names in weights.safetensors


class Scorer:
    """Tables and a ranker in fp32 and evaluation mode.

    Args:
        family: Name of the family.
        model: Keys of its config.
        layout: Fields of the encoded rows.
        weights: Full dense weights, including buffers such as the temperature, but without
            those of auxiliary heads.
        rows: The fused table (num_rows, E).
    """

    def __init__(
        self,
        family: str,
        model: Mapping[str, Any],
        layout: FeatureLayout,
        weights: Mapping[str, Tensor],
        rows: Tensor,
    ) -> None:
        config = make_config(family, model)
        self.ranker = build_ranker(family, config, layout, auxiliary=False)
        self.ranker.load_state_dict(dict(weights))
        self.tables = EmbeddingTables(layout, rows, with_events=self.ranker.uses_events)
        self.device = str(rows.device)
        self.ranker.to(rows.device).eval()

    def probabilities(self, batch: Batch) -> Tensor:
        """Probabilities (N,) of a batch, fp32."""
        batch = batch.to(self.device)
        with torch.inference_mode():
            fields, events = self.tables.embed(batch), self.tables.events(batch)
            logits = self.ranker(fields, batch.numeric, *events)
            return torch.sigmoid(logits.float())


class Predictor:
    """An exported model with its encoder: raw rows to probabilities."""

    def __init__(self, encoder: Encoder, scorer: Scorer, about: Mapping[str, Any]) -> None:
        self.encoder = encoder
        self.scorer = scorer
        self.about = dict(about)  # model.json
        self.columns = encoder.columns  # raw columns that are read

    @classmethod
    def load(cls, url: str) -> "Predictor":
        """Read what `export_model` wrote, from a path or fsspec URL.

        Raises:
            TrialError: If a file is missing or damaged.
            DataError: If the encoder is missing or damaged.
        """
        folder = ArtifactFolder(url)
        about = json.loads(folder.read("model.json"))
        expected = ShardFile.model_validate(about["weights"])
        tensors = folder.read_tensors("weights.safetensors", expected)
        dense = {k.removeprefix(DENSE): v for k, v in tensors.items() if k.startswith(DENSE)}
        encoder = Encoder.load(f"{folder.url}/encoder")
        if encoder.digest != about["encoder_digest"]:
            raise TrialError(f"{url}: the encoder is not the one that the model was trained with")
        scorer = Scorer(
            about["family"], about["model"], encoder.layout, dense, tensors[f"{TABLES}weight"]
        )
        return cls(encoder, scorer, about)

    def predict(self, rows: "pa.Table | pd.DataFrame") -> NDArray[np.float32]:
        """Probabilities (N,) of rows with the raw columns of the Parquet data; others are ignored.

        Raises:
            SchemaError: If a column is missing or has the wrong type.
            DataError: If an event of a timed sequence has no time, or an impossible one.
        """
        encoded = self.encoder.encode(rows)
        batches = (as_batch(encoded, start) for start in range(0, len(rows), BATCH_SIZE))
        scores = [self.scorer.probabilities(batch).cpu().numpy() for batch in batches]
        return np.concatenate(scores) if scores else np.zeros(0, np.float32)


def as_batch(rows: EncodedRows, start: int = 0) -> Batch:
    """Tensors of at most `BATCH_SIZE` rows, for `Scorer.probabilities`."""
    part = slice(start, start + BATCH_SIZE)
    count = len(rows.ids[part])
    return Batch(
        ids=torch.from_numpy(rows.ids[part].astype(np.int64)),
        numeric=torch.from_numpy(rows.numeric[part].astype(np.float32)),
        sequences=torch.from_numpy(rows.sequences[part].astype(np.int64)),
        ages=torch.from_numpy(rows.ages[part]),
        label=torch.zeros(count),
        user=torch.zeros(count, dtype=torch.int64),
        weight=torch.ones(count),
        global_weight=float(count),
    )
