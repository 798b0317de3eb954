"""The command line works from only a wheel, in an empty directory."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mixfront.installation.wheel import build_wheel

ROOT = Path(__file__).parents[1]

# site-packages is added to the path without running its .pth files, because one of them is the
# editable install, which would hide a broken wheel.
_RUN = """
import sys
wheel, libraries, *words = sys.argv[1:]
sys.path[:0] = [wheel]
sys.path.append(libraries)
import mixfront
assert [str(p) for p in mixfront.__path__] == [wheel + "/mixfront"], mixfront.__path__
sys.argv = ["mixfront", *words]
from mixfront.cli.app import main
main()
"""


@pytest.fixture(scope="module", params=["hatch", "build_wheel"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only the installed wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = _hatch_wheel(folder) if request.param == "hatch" else build_wheel(folder)
    target = folder / "installed"
    _pip("install", "--no-deps", "--no-index", f"--target={target}", str(wheel))
    return target


def test_families(installed: Path, tmp_path: Path) -> None:
    families = json.loads(_mixfront(installed, tmp_path, "families", "--json"))
    assert {"unimixer", "unimixer_lite", "rankmixer"} <= {family["name"] for family in families}


def test_search_validate(installed: Path, tmp_path: Path) -> None:
    assert _mixfront(installed, tmp_path, "search", "validate", "demo")


def _hatch_wheel(folder: Path) -> Path:
    _pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT))
    return next(folder.glob("*.whl"))


def _pip(*words: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check")
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, *quiet], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def _mixfront(installed: Path, cwd: Path, *words: str) -> str:
    libraries = sysconfig.get_paths()["purelib"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", _RUN, str(installed), libraries, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
