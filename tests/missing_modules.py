"""Runs Python in a new process in which some packages cannot be imported."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_FINDER = """
import sys
MISSING = {missing!r}
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Nothing())
"""


def run_without(
    modules: Iterable[str],
    code: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which the import of `modules` fails."""
    whole = _FINDER.format(missing=sorted(modules)) + code
    return subprocess.run(
        [sys.executable, "-c", whole, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def modules_outside(packages: Iterable[str]) -> list[str]:
    """Installed modules of neither these packages, nor their dependencies, nor mixfront."""
    installed = {"mixfront"} | _with_dependencies(packages)
    return [
        module
        for module, owners in metadata.packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & installed
    ]


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
