"""A fitted encoder in a folder: `encoder.json`, and one Parquet file per vocabulary. No pickle."""

import hashlib
import io
import json
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from mixfront.data.encoding.id_table import IdTable, TableState
from mixfront.data.encoding.numeric import NumericScaling
from mixfront.data.encoding.vocabulary import Vocabulary
from mixfront.data.schema import Schema
from mixfront.exceptions import DataError

FORMAT = 1  # increase it when older versions would misread the files


class EncoderState(BaseModel):
    """Everything in an encoder except the values of its vocabularies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    schema_: Schema
    train: str | None  # filter of the rows that it was fitted on
    num_rows: int  # number of these rows
    num_positive: int | None = None  # of them, with label 1; None = fitted before it was counted
    tables: tuple[TableState, ...]
    scalings: tuple[NumericScaling, ...]
    optional_columns: tuple[str, ...]


def content_digest(state: EncoderState, tables: tuple[IdTable, ...]) -> str:
    """SHA-256 over everything that can change an encoded value."""
    digest = hashlib.sha256(_json(state).encode())
    for table in tables:
        if table.vocabulary is not None:
            for part in _bytes_of(table.vocabulary.values):
                digest.update(part)
    return digest.hexdigest()


def write_encoder(url: str, state: EncoderState, tables: tuple[IdTable, ...], digest: str) -> None:
    """Write an encoder's folder; the JSON last, so that a folder with it is complete."""
    storage, root = fsspec.core.url_to_fs(url)
    storage.makedirs(root, exist_ok=True)
    for table in tables:
        if table.vocabulary is not None:
            content = pa.BufferOutputStream()
            pq.write_table(pa.table({"value": table.vocabulary.values}), content)
            storage.pipe_file(_vocabulary_file(root, table.state), content.getvalue().to_pybytes())
    document = {"digest": digest, "state": json.loads(_json(state))}
    storage.pipe_file(f"{root}/encoder.json", json.dumps(document, indent=1).encode())


def read_encoder(url: str) -> tuple[EncoderState, tuple[IdTable, ...]]:
    """Read what `write_encoder` wrote.

    Raises:
        DataError: If the folder is missing, incomplete, of a different format, or was changed.
    """
    try:
        storage, root = fsspec.core.url_to_fs(url)
        document = json.loads(storage.cat_file(f"{root}/encoder.json"))
        state = EncoderState.model_validate(document["state"])
        tables = tuple(_read_table(storage, root, table) for table in state.tables)
    except (OSError, ImportError, ValueError, KeyError, TypeError, pa.ArrowException) as problem:
        what = "unknown content" if isinstance(problem, ValidationError) else str(problem)
        raise DataError(f"cannot read the encoder at {url}: {what}; fit it again") from None
    if state.format != FORMAT or content_digest(state, tables) != document["digest"]:
        raise DataError(
            f"the encoder at {url} was changed after it was written, or is from a different "
            "version of mixfront; fit it again"
        )
    return state, tables


def _read_table(storage: Any, root: str, state: TableState) -> IdTable:
    if state.kind != "vocabulary":
        return IdTable(state, None)
    content = storage.cat_file(_vocabulary_file(root, state))
    values = pq.read_table(io.BytesIO(content))["value"].combine_chunks()
    return IdTable(state, Vocabulary(values))


def _vocabulary_file(root: str, state: TableState) -> str:
    return f"{root}/vocabulary-{state.offset}.parquet"


def _json(state: EncoderState) -> str:
    # Without the count, the digests of encoders without it stay what they were.
    uncounted = {"num_positive"} if state.num_positive is None else None
    return json.dumps(state.model_dump(mode="json", exclude=uncounted), sort_keys=True)


def _bytes_of(values: Any) -> list[bytes]:
    if not pa.types.is_string(values.type):
        return [np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).tobytes()]
    texts = values.cast(pa.binary()).to_pylist()
    return [np.array([len(text) for text in texts], np.int64).tobytes(), b"".join(texts)]
