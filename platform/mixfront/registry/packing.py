"""Logs a trial's exported model to MLflow, and registers it as a version of a model."""

from collections.abc import Mapping
from contextlib import redirect_stderr
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from mixfront.installation.wheel import build_wheel
from mixfront.registry.server import silenced
from mixfront.registry.signature import as_frame, describe, signature

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

SERVED_MODEL = Path(__file__).with_name("served_model.py")
# The extra `serve` of pyproject.toml, repeated here because the running mixfront may have been
# installed from a wheel without dependency metadata.
REQUIREMENTS = (
    *("mlflow", "torch", "pandas", "pyarrow", "safetensors"),
    *("numpy", "pydantic", "fsspec", "pyyaml", "lazy_loader"),
)
_EXAMPLE_ROWS = 5


def log_model(
    *, run_id: str, final: Path, sample: pa.Table, work: Path, code: Path = SERVED_MODEL
) -> str:
    """Log the exported model to its trial's run.

    The model's code is a file and its weights are safetensors, so no pickle is written. A wheel
    of the running mixfront is logged as an artifact, and the model's environment installs it.

    Args:
        run_id: The trial's run.
        final: Local folder of the exported model.
        sample: Raw rows with the columns that the model reads.
        work: A folder for temporary files.
        code: The file that MLflow runs to load the model.

    Returns:
        MLflow's id of the logged model.
    """
    wheel = build_wheel(work, requires=False)
    with silenced():
        import mlflow
        from mlflow.models import Model

        client = mlflow.MlflowClient()
        run = client.get_run(run_id)
        # By default, MLflow logs the model to the current experiment, mostly "Default", where a
        # user of a server with authentication may not write.
        logged = client.create_logged_model(
            experiment_id=run.info.experiment_id,
            name="ranker",
            source_run_id=run_id,
            params=dict(run.data.params),
        )
        info = Model.log(
            artifact_path=None,
            model_id=logged.model_id,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(code),
            artifacts={"model": str(final), "wheel": str(wheel)},
            signature=signature(),
            input_example=as_frame(sample.slice(0, _EXAMPLE_ROWS)),
            pip_requirements=[f"artifacts/{wheel.name}", *_pinned()],
            metadata={"columns": {field.name: str(field.type) for field in sample.schema}},
        )
    return str(info.model_id)


def register(
    model_id: str, name: str, tags: Mapping[str, str], columns: pa.Schema
) -> "ModelVersion":
    """Register a new version of the model `name`, which is created if it does not exist.

    Args:
        model_id: MLflow's id of the logged model.
        name: Name of the registered model.
        tags: Tags of the version.
        columns: The columns that the model reads, for the version's description.
    """
    import mlflow

    with silenced(), redirect_stderr(StringIO()):  # MLflow prints what the caller reports
        version = mlflow.register_model(f"models:/{model_id}", name, tags=dict(tags))
        return mlflow.MlflowClient().update_model_version(
            name, version.version, description=describe(columns)
        )


def _pinned() -> list[str]:
    """The installed versions as exact pins, without a local build suffix such as "+cpu"."""
    return [f"{name}=={metadata.version(name).split('+')[0]}" for name in REQUIREMENTS]
