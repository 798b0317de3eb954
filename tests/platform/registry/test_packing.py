"""A registered model's requirements match its imports and the extra `serve`."""

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.missing_modules import run_without

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
    installed = {"mixfront"} | _with_dependencies(REQUIREMENTS)
    others = [
        module
        for module, packages in metadata.packages_distributions().items()
        if not {canonicalize_name(package) for package in packages} & installed
    ]
    assert {"ray", "deepspeed", "optuna", "typer"} <= set(others)
    done = run_without(others, _LOAD)
    assert done.stdout == "loaded\n", done.stderr


def _with_dependencies(names: Iterable[str]) -> set[str]:
    closure: set[str] = set()
    pending: list[str] = [canonicalize_name(name) for name in names]
    while pending:
        if (name := pending.pop()) not in closure:
            closure.add(name)
            pending += _needs(name)
    return closure


def _needs(name: str) -> list[str]:
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # a dependency on other systems
        return []
    requirements = map(Requirement, lines)
    return [
        canonicalize_name(r.name)
        for r in requirements
        if r.marker is None or r.marker.evaluate({"extra": ""})
    ]
