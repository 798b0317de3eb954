"""A served model's signature and description for MLflow, and rows as a pandas frame."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_MAX_DESCRIPTION = 5000  # characters; the limit of MLflow's database


def signature() -> "ModelSignature":
    """A signature of only the output, so that MLflow does not check the input.

    MLflow's check loops in Python over every item of a list column, refuses the floats that
    pandas makes of integers with nulls, and warns about every unknown column. The model's encoder
    checks the columns that it reads, and the version's description lists them.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    return ModelSignature(outputs=Schema([TensorSpec(np.dtype("float32"), (-1,), "probability")]))


def describe(columns: pa.Schema) -> str:
    """The columns of a raw row in Markdown, for the description of a version."""
    text = "Columns of a row. Other columns are ignored.\n\n| column | type |\n| --- | --- |"
    for index, field in enumerate(columns):
        line = f"\n| {field.name} | `{field.type}` |"  # outside backticks, list<...> would be HTML
        if len(text) + len(line) > _MAX_DESCRIPTION - 100:
            return f"{text}\n\nand {len(columns) - index} more, see `columns` in MLmodel"
        text += line
    return text


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Rows as `pd.read_parquet` returns them, except that integers with nulls stay integers."""
    return table.to_pandas(integer_object_nulls=True)
