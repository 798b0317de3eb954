"""The code file of a registered model: MLflow runs it to load the model, nothing is unpickled.

It is never imported as a module of mixfront; `mlflow.models.set_model` wants to be called while
the file is run.
"""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray

from mixfront.exceptions import DataError, SchemaError
from mixfront.registry.served_rows import served_rows
from mixfront.training.predict import Predictor


class ServedModel(PythonModel):
    """Raw rows in, probabilities out; the same prediction that the trial was scored with."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the exported model that is among the artifacts."""
        self.predictor = Predictor.load(context.artifacts["model"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002  # MLflow calls with it
        model_input: pd.DataFrame,  # of the wider hints MLflow warns at every load
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """Probability of the label for each row, (N,) float32.

        Args:
            context: Not used.
            model_input: Raw rows, as in the Parquet that the model was trained on, in one of the
                forms of `served_rows`. Integers may come as floats, missing values as None or
                NaN; columns that the model does not read are ignored.
            params: Not used.

        Raises:
            MlflowException: If a column is missing or of a wrong type. MLflow's server answers
                with status 400 and this message.
        """
        try:
            return self.predictor.predict(served_rows(model_input))
        except (SchemaError, DataError) as problem:
            raise MlflowException.invalid_parameter_value(str(problem)) from problem


mlflow.models.set_model(ServedModel())
