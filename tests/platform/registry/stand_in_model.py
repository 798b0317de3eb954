"""A stand-in for a trained model, whose score is 1 / (1 + a sum over the row)."""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray


class StandIn(PythonModel):
    """Reads three kinds of columns."""

    def load_context(self, context: PythonModelContext) -> None:
        """Check that the artifacts exist."""
        assert context.artifacts["model"]

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002  # MLflow passes it
        model_input: pd.DataFrame,
        params: Any = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """One score per row."""
        ids = model_input["user_id"].astype("float64") % 97
        kinds = model_input["video_type"].astype("float64").fillna(0)
        lengths = [0 if row is None else len(row) for row in model_input["history"]]
        return np.asarray(1 / (1 + ids + kinds + np.array(lengths)), dtype=np.float32)


mlflow.models.set_model(StandIn())
