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


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("logs\0", "it has a null byte"),
        ("\ud800", "it is not valid Unicode"),
        ("~nobody-here/logs", "'~nobody-here' has no home directory"),
    ],
)
def test_what_cannot_be_a_path_is_refused(location: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"is not a path: {reason}"):
        absolute(location)


def test_a_url_only_loses_its_trailing_slash() -> None:
    assert absolute("s3://bucket/searches/") == "s3://bucket/searches"
