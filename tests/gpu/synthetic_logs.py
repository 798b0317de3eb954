"""Synthetic logs for the check, written once even if several processes need them."""

import shutil
from pathlib import Path

from filelock import FileLock

from mixfront.data import (
    DataConfig,
    EncodedSplit,
    Encoder,
    load_schema,
    open_dataset,
    open_split,
)
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.training import DataRequest


def synthetic_logs(folder: Path, num_rows: int) -> DataRequest:
    """Logs and a fitted encoder in `folder`; waits if another process is writing them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        request = folder / "data.json"
        if not request.exists():
            shutil.rmtree(folder, ignore_errors=True)  # a killed process may have left it
            request.write_text(_write(folder, num_rows).model_dump_json())
        return DataRequest.model_validate_json(request.read_text())


def encoded_rows(data: DataRequest) -> EncodedSplit:
    """All rows, encoded in the cache on this machine."""
    return open_split(open_dataset(data.path), None, Encoder.load(data.encoder))


def _write(folder: Path, num_rows: int) -> DataRequest:
    folder.mkdir()
    report = write_synthetic(folder / "logs", num_rows, seed=3)
    config = DataConfig.model_validate(
        {"path": report.path, "schema": report.schema, **report.filters}
    )
    dataset = open_dataset(config.path)
    Encoder.fit(dataset, load_schema(report.schema)).save(str(folder / "encoder"))
    return DataRequest(path=report.path, encoder=str(folder / "encoder"), **report.filters)
