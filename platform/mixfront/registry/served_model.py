"""The code file of a registered model: MLflow runs it to load the model, nothing is unpickled.

It is never imported as a module of mixfront; `mlflow.models.set_model` wants to be called while
the file is run.
"""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray

from mixfront.training.predict import Predictor


class ServedModel(PythonModel):
    """Raw rows in, probabilities out; the same prediction that the trial was scored with."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the exported model that lies among the artifacts."""
        self.predictor = Predictor.load(context.artifacts["model"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002  # MLflow calls with it
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """Probability of the label for each row, (N,) float32.

        Args:
            context: Not used.
            model_input: Raw columns, as in the Parquet that the model was trained on. Integers
                may come as floats, missing values as None or NaN.
            params: Not used.
        """
        rows = pa.Table.from_pandas(model_input, preserve_index=False)
        return self.predictor.predict(rows)


mlflow.models.set_model(ServedModel())
