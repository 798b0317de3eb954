"""What MLflow knows of a served model's rows, and how rows become a pandas frame."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_LONGEST = 5000  # characters that MLflow's database has for a description


def signature() -> "ModelSignature":
    """Probabilities come out; nothing is said of what goes in, so that MLflow checks nothing.

    Its check takes Python's time for every item of a list column, refuses the float that pandas
    makes of an integer beside a null, and warns of every column that it does not know. The
    model's own encoder checks what it reads; the columns are in the version's description.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    return ModelSignature(outputs=Schema([TensorSpec(np.dtype("float32"), (-1,), "probability")]))


def describe(columns: pa.Schema) -> str:
    """The columns of a raw row as Markdown, for the page of a version."""
    text = "Columns of a row; any others are ignored.\n\n| column | type |\n| --- | --- |"
    for at, field in enumerate(columns):
        line = f"\n| {field.name} | `{field.type}` |"  # pages take list<...> for HTML
        if len(text) + len(line) > _LONGEST - 100:
            return f"{text}\n\nand {len(columns) - at} more, see `columns` in MLmodel"
        text += line
    return text


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Rows as pandas reads them from Parquet, save that integers beside nulls stay integers."""
    return table.to_pandas(integer_object_nulls=True)
