"""Checks Python and the installed packages against the bounds of pyproject.toml."""

import platform
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mixfront.doctor.finding import Finding, failed, ok, skipped
from mixfront.installation.versions import installed_versions

EXTRAS = ("all", "serve", "s3", "postgres")


def check_packages() -> Finding:
    """Check Python and the packages against the metadata of the running mixfront."""
    info = metadata.metadata("mixfront")
    lines = metadata.requires("mixfront") or []
    if not lines:
        return skipped(
            "this mixfront is from a wheel that lists no dependencies, as cluster jobs use"
        )
    requirements = [Requirement(line) for line in lines]
    problems = [
        *_python_problem(info["Requires-Python"]),
        *_missing(_needed_by(None, requirements)),
        *_out_of_bounds(r for extra in (None, *EXTRAS) for r in _needed_by(extra, requirements)),
    ]
    if problems:
        packages = " ".join(f"'{requirement}'" for _, requirement in problems)
        return failed("; ".join(seen for seen, _ in problems), f"pip install {packages}")
    complete = [e for e in EXTRAS if not _missing(_needed_by(e, requirements))]
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    return ok(f"{versions}; complete extras: {', '.join(complete) or 'none'}")


def _needed_by(extra: str | None, requirements: Iterable[Requirement]) -> list[Requirement]:
    """Requirements that an extra adds, or with None, those of the base package."""
    return [r for r in requirements if _applies(r, extra)]


def _applies(requirement: Requirement, extra: str | None) -> bool:
    marker = requirement.marker
    in_base = marker is None or marker.evaluate({"extra": ""})
    if extra is None or marker is None:
        return extra is None and in_base
    return not in_base and marker.evaluate({"extra": extra})


def _missing(requirements: Iterable[Requirement]) -> list[tuple[str, str]]:
    absent = {r.name: r for r in requirements if _version(r.name) is None}
    return [(f"{name} is not installed", f"{name}{r.specifier}") for name, r in absent.items()]


def _out_of_bounds(requirements: Iterable[Requirement]) -> list[tuple[str, str]]:
    problems = {}
    for requirement in requirements:
        version = _version(requirement.name)
        if version and not requirement.specifier.contains(version, prereleases=True):
            bounded = f"{requirement.name}{requirement.specifier}"
            problems[bounded] = f"{requirement.name} {version} is not {requirement.specifier}"
    return [(seen, bounded) for bounded, seen in problems.items()]


def _python_problem(bounds: str) -> list[tuple[str, str]]:
    version = platform.python_version()
    if SpecifierSet(bounds).contains(version, prereleases=True):
        return []
    return [(f"Python {version} is not {bounds}", f"mixfront  # with Python {bounds}")]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
