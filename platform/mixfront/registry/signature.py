"""The signature of a served model: raw Parquet columns in, probabilities out."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.types.schema import COLSPEC_TYPES


def signature_of(schema: pa.Schema) -> "ModelSignature":
    """Columns as MLflow checks them before it calls the model.

    Only floats, strings and times get a type of MLflow's. Its integer refuses the float that
    pandas makes of an integer column with a null, its double refuses an int64, and its boolean
    turns a null from JSON into False; so these, and what is inside lists, are of any type and
    the model's own encoder reads them.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    columns: list[ColSpec | TensorSpec] = [
        ColSpec(type=_mlflow_type(field.type), name=field.name) for field in schema
    ]
    probability = TensorSpec(np.dtype("float32"), (-1,))
    return ModelSignature(inputs=Schema(columns), outputs=Schema([probability]))


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Rows as pandas reads them from Parquet, save that integers beside nulls stay integers."""
    return table.to_pandas(integer_object_nulls=True)


def _mlflow_type(kind: pa.DataType) -> "COLSPEC_TYPES":
    from mlflow.types.schema import AnyType, Array, DataType

    anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow has no hint there

    if pa.types.is_floating(kind):
        return DataType.double
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return DataType.string
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return DataType.datetime
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return Array(anything)
    if pa.types.is_dictionary(kind):
        return _mlflow_type(kind.value_type)
    return anything
