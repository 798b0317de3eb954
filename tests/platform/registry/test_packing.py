"""A registered model's requirements match its imports and the extra `serve`."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from tests.missing_modules import modules_outside, run_without

from mixfront.registry.packing import REQUIREMENTS

ROOT = Path(__file__).parents[3]

# The code that MLflow runs to load a model, and the import that reads weights and encoder.
_LOAD = """
import mlflow
from mixfront.registry import packing
code = packing.SERVED_MODEL.read_text()
exec(compile(code, str(packing.SERVED_MODEL), "exec"), {"__name__": "served_model"})
from mixfront.training import Predictor
print("loaded")
"""


def test_its_requirements_are_those_of_the_extra_serve() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    serve = project["optional-dependencies"]["serve"]
    assert sorted(REQUIREMENTS) == sorted(Requirement(line).name for line in serve)


def test_its_code_imports_no_other_packages() -> None:
    others = modules_outside(REQUIREMENTS)
    assert {"ray", "deepspeed", "optuna", "typer"} <= set(others)
    done = run_without(others, _LOAD)
    assert done.stdout == "loaded\n", done.stderr
