"""A trial's exported model as an MLflow model, and as a version in the registry."""

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
# The extra `serve` of pyproject.toml; written again here, as an installed mixfront may have come
# in a wheel that names no dependencies.
NEEDED = (
    *("mlflow", "torch", "pandas", "pyarrow", "safetensors"),
    *("numpy", "pydantic", "fsspec", "pyyaml", "lazy_loader"),
)
_EXAMPLE_ROWS = 5


def log_model(
    *, run_id: str, final: Path, sample: pa.Table, work: Path, code: Path = SERVED_MODEL
) -> str:
    """Log the exported model below its trial's run.

    The model's code is a file, its weights are safetensors: no pickle is written. A wheel of
    the mixfront that runs here travels as an artifact, and is what the model's environment
    installs.

    Args:
        run_id: The trial's run.
        final: Local folder of the exported model.
        sample: Raw rows, the columns that the model reads.
        work: A folder for files in between.
        code: The file that MLflow runs to load the model.

    Returns:
        MLflow's id of the logged model.
    """
    wheel = build_wheel(work, requires=False)
    with silenced():
        import mlflow
        from mlflow.models import Model

        info = Model.log(
            artifact_path=None,
            name="ranker",
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
    """A new version of the registered model `name`, made if it is the first.

    Args:
        model_id: MLflow's id of the logged model.
        name: Of the registered model.
        tags: Of the version.
        columns: What the model reads; told in the version's description.
    """
    import mlflow

    with silenced(), redirect_stderr(StringIO()):  # it prints what the caller is about to say
        version = mlflow.register_model(f"models:/{model_id}", name, tags=dict(tags))
        return mlflow.MlflowClient().update_model_version(
            name, version.version, description=describe(columns)
        )


def _pinned() -> list[str]:
    """What the model is scored with here, exactly; without a build's own suffix ("+cpu")."""
    return [f"{name}=={metadata.version(name).split('+')[0]}" for name in NEEDED]
