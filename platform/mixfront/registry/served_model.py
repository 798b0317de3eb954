"""The code file of a registered model: MLflow runs it to load the model without unpickling.

Do not import it: `mlflow.models.set_model` must be called while MLflow runs the file.
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
    """Predicts probabilities for raw rows, with the same code that scored the trial."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the exported model from the artifacts."""
        self.predictor = Predictor.load(context.artifacts["model"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002  # MLflow passes it
        model_input: pd.DataFrame,  # MLflow warns about wider hints at every load
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """Probability of the label for each row, (N,) float32.

        Args:
            context: Not used.
            model_input: Raw rows like those that the model was trained on, in any form that
                `served_rows` accepts. Integers may be floats, and missing values None or NaN.
                Columns that the model does not read are ignored.
            params: Not used.

        Raises:
            MlflowException: If a column is missing or has the wrong type; MLflow's server
                returns the message with status 400.
        """
        try:
            return self.predictor.predict(served_rows(model_input))
        except (SchemaError, DataError) as problem:
            raise MlflowException.invalid_parameter_value(str(problem)) from problem


mlflow.models.set_model(ServedModel())
