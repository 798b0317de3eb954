"""A missing package becomes one sentence that names its extra."""

import re
import tomllib
from pathlib import Path

import pytest

from mixfront.exceptions import MissingExtraError
from mixfront.installation.extras import EXTRAS, extras_named

ROOT = Path(__file__).parents[3]
MODULES = {
    "pillow": "PIL",
    "psycopg2-binary": "psycopg2",
    "scikit-learn": "sklearn",
}  # package -> module, if the names differ
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_extra_is_named() -> None:
    with (
        pytest.raises(MissingExtraError) as raised,
        extras_named(["search", "run"]),
    ):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    assert str(raised.value) == (
        "`mixfront search run` needs mixfront[all]: pip install 'mixfront[all]' "
        "(the module 'torch' is not installed)"
    )
    assert raised.value.exit_status == 1


def test_a_library_may_have_wrapped_the_error() -> None:
    wrapped = ImportError("Install s3fs to access S3")
    wrapped.__cause__ = ModuleNotFoundError("No module named 's3fs'", name="s3fs")
    sentence = r"needs mixfront\[s3\].*'s3fs'"
    with pytest.raises(MissingExtraError, match=sentence), extras_named(["trials"]):
        raise wrapped


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'unrelated'", name="unrelated"),
        ModuleNotFoundError(
            "No module named 'torch.new'", name="torch.new"
        ),  # torch itself exists
        ImportError("libcudart.so.13: cannot open shared object file", name="torch"),
    ],
)
def test_other_import_errors_are_unchanged(error: ImportError) -> None:
    with pytest.raises(ImportError) as raised, extras_named(["trials"]):
        raise error
    assert raised.value is error


def test_every_package_of_an_extra_is_listed() -> None:
    extras = PROJECT["optional-dependencies"]
    base = {_name(requirement) for requirement in PROJECT["dependencies"]}
    used = extras.keys() - {"dev", "cluster"}  # these two are for tests
    optional = {_name(r) for extra in used for r in extras[extra]}
    modules = {MODULES.get(name, name) for name in optional - base - {"mixfront"}}
    assert modules == EXTRAS.keys()


def test_the_named_extra_has_the_package() -> None:
    extras = PROJECT["optional-dependencies"]
    listed = {
        extra: {MODULES.get(_name(r), _name(r)) for r in extras[extra]}
        for extra in ("all", "serve", "s3", "postgres")
    }
    listed["all"] |= listed["serve"]
    assert [m for m, extra in EXTRAS.items() if m not in listed[extra]] == []


def _name(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower()
