"""Paths, URLs and bare names."""

from pathlib import Path

import pytest

from mixfront.exceptions import UsageError
from mixfront.locations import absolute, is_local, is_path


@pytest.mark.parametrize(
    ("location", "local"),
    [
        ("/data/logs", True),
        ("logs", True),
        ("file:///data/logs", True),
        ("local:///data/logs", True),
        ("sqlite:////data/optuna.db", True),
        ("sqlite+pysqlite:////data/optuna.db", True),
        ("s3://logs", False),
        ("http://mlflow:5000", False),
        ("postgresql+psycopg2://db/optuna", False),
    ],
)
def test_paths_file_urls_and_sqlite_urls_are_local(location: str, local: bool) -> None:
    assert is_local(location) is local


@pytest.mark.parametrize(
    ("reference", "path"),
    [("small", False), ("small.yaml", True), ("a/small", True), ("s3://b/small.yml", True)],
)
def test_a_bare_name_is_not_a_path(reference: str, path: bool) -> None:
    assert is_path(reference) is path


@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_local_locations_become_absolute_paths(scheme: str, tmp_path: Path) -> None:
    assert absolute(f"{scheme}{tmp_path}/logs/") == str(tmp_path / "logs")


def test_a_path_with_a_null_byte_is_refused() -> None:
    with pytest.raises(UsageError, match="is not a path: it has a null byte"):
        absolute("logs\0")


def test_a_url_only_loses_its_trailing_slash() -> None:
    assert absolute("s3://bucket/searches/") == "s3://bucket/searches"
