"""Compares the cost of scoring raw rows with that of scoring encoded ones.

Raw: `mlflow.pyfunc.load_model(...).predict(frame)` on whole rows, including labels, as pandas
reads them from Parquet. Encoded: the same rows as tensors, through the same model's
`Scorer.probabilities`. The two alternate over 16 slices of rows. The results are medians of CPU
time with one thread, because it depends least on the machine's load, and equals wall time on an
idle machine. Weights are random, which costs the same as trained ones. The data are those at
MIXFRONT_KUAIRAND, or else a synthetic set; the heading says which.
"""

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich.console import Console
from rich.table import Table

from mixfront.data import Encoder, load_schema, open_dataset
from mixfront.data.config import DataConfig
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.models import build_ranker, count_cost, make_config
from mixfront.registry import packing
from mixfront.registry.server import registry, silenced
from mixfront.spec.search_spec import load_spec
from mixfront.training.export import SAMPLE_ROWS, export_model
from mixfront.training.predict import Predictor, Scorer, as_batch
from mixfront.training.tables.embedding import EmbeddingTables

MODELS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("unimixer", {}),
    ("rankmixer", {"num_tokens": 16, "token_dim": 64}),
    # the model with the most parameters in docs/kuairand.md, and one of the fastest
    ("dcnv2", {"num_tokens": 46, "token_dim": 16, "rank": 0}),
    ("deepfm", {"num_tokens": 46, "token_dim": 16}),
)
SIZES = (1, 512, 4096)
SLICES = 16
SECONDS = 5.0  # per model and number of rows
MIN_TURNS = 3  # plus one to warm up


def main() -> None:
    """Print both latencies of every model and number of rows."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        config = _data(Path(folder))
        with contextlib.chdir(folder):  # MLflow writes to it
            _compare(config, Path(folder))


def _compare(config: DataConfig, folder: Path) -> None:
    dataset = open_dataset(config.path)
    rows = dataset.head(SLICES * max(SIZES), config.validation)
    encoder = Encoder.fit(dataset, load_schema(config.schema_), config.train)
    print(f"{rows.num_columns} columns, {len(encoder.columns)} of them read")
    table = Table("model", "dense params", "rows", "encoded ms", "raw ms", "more ms", "ratio")
    for family, shape in MODELS:
        model = _registered(folder / family, family, shape, encoder, rows)
        for cells in _measured(model, rows):
            table.add_row(family, _dense(family, shape, encoder), *cells)
    Console(width=100).print(table)


def _data(folder: Path) -> DataConfig:
    path = os.environ.get("MIXFRONT_KUAIRAND")
    print(f"data: {'KuaiRand' if path else 'synthetic'}")
    if path:
        return load_spec("kuairand", [f"data.path={path}"]).data
    report = write_synthetic(folder / "synthetic", 30_000, seed=1)
    return DataConfig.model_validate(
        {"path": report.path, "schema": report.schema, **report.filters}
    )


def _registered(
    folder: Path, family: str, shape: dict[str, Any], encoder: Encoder, rows: pa.Table
) -> Any:
    """The model as loaded by MLflow, from an export like that of a trial."""
    folder.mkdir()
    final = folder / "final"
    sample = rows.slice(0, SAMPLE_ROWS).select(encoder.columns)
    export_model(str(final), _predictor(family, shape, encoder), sample)
    with registry(f"sqlite:///{folder.parent}/mlflow.db") as client, silenced():
        import mlflow

        model_id = packing.log_model(
            run_id=client.create_run("0").info.run_id,
            final=final,
            sample=pq.read_table(final / "sample.parquet"),
            work=folder,
        )
        return mlflow.pyfunc.load_model(f"models:/{model_id}")


def _predictor(family: str, shape: dict[str, Any], encoder: Encoder) -> Predictor:
    config = make_config(family, shape)
    weights = build_ranker(family, config, encoder.layout, auxiliary=False).state_dict()
    tables = EmbeddingTables.fresh(encoder.layout, config.embedding_dim, init_std=0.1, seed=1)
    scorer = Scorer(family, shape, encoder.layout, weights, tables.weight)
    about = {"family": family, "model": config.model_dump(mode="json")}
    return Predictor(encoder, scorer, about | {"encoder_digest": encoder.digest})


def _dense(family: str, shape: dict[str, Any], encoder: Encoder) -> str:
    cost = count_cost(family, make_config(family, shape), layout=encoder.layout)
    return f"{cost.dense_params:,}"


def _measured(model: Any, rows: pa.Table) -> list[list[str]]:
    """The table's cells for every number of rows."""
    table_rows = []
    for size in SIZES:
        encoded, raw = _side_by_side(model, rows, size)
        milliseconds = (1e3 * encoded, 1e3 * raw, 1e3 * (raw - encoded))
        table_rows.append([f"{size}", *(f"{x:.2f}" for x in milliseconds), f"{raw / encoded:.2f}"])
    return table_rows


def _side_by_side(model: Any, rows: pa.Table, size: int) -> tuple[float, float]:
    """Median seconds for encoded and for raw rows."""
    predictor = model.unwrap_python_model().predictor
    starts = [index * (rows.num_rows - size) // (SLICES - 1) for index in range(SLICES)]
    frames = [rows.slice(start, size).to_pandas() for start in starts]
    batches = [as_batch(predictor.encoder.encode(frame)) for frame in frames]
    timings: list[tuple[float, float]] = []
    deadline = time.monotonic() + SECONDS
    for batch, frame in cycle(zip(batches, frames, strict=True)):
        timings.append(
            (_seconds(predictor.scorer.probabilities, batch), _seconds(model.predict, frame))
        )
        if len(timings) > MIN_TURNS and time.monotonic() > deadline:
            break
    encoded, raw = zip(*islice(timings, 1, None), strict=True)
    return statistics.median(encoded), statistics.median(raw)


def _seconds(run: Callable[[Any], object], rows: object) -> float:
    started = time.process_time()
    run(rows)
    return time.process_time() - started


if __name__ == "__main__":
    main()
