"""Checks the storage of Optuna studies: OPTUNA_STORAGE, or SQLite in the search's folder."""

import os
from pathlib import Path

from mixfront.doctor.finding import Finding, failed, ok, one_line, skipped
from mixfront.doctor.folders import first_existing
from mixfront.doctor.needs import require
from mixfront.installation.extras import missing_extra
from mixfront.locations import is_local
from mixfront.spec.storage import STORAGE_VARIABLE, default_storage

VARIABLE = "OPTUNA_STORAGE"
_SQLITE = "sqlite:///"


def check_study_storage() -> Finding:
    """Check that the storage can be reached; no table is created."""
    url = os.environ.get(VARIABLE)
    if not url:
        return _check_default()
    if url.startswith(_SQLITE):
        return _sqlite(Path(url.removeprefix(_SQLITE)).absolute())
    require("optuna", "sqlalchemy")
    if "://" not in url or url.startswith("redis"):
        return skipped(f"{VARIABLE}={url} is a kind of storage that cannot be checked")
    return _database(url)


def _check_default() -> Finding:
    storage = default_storage()
    if is_local(storage):
        return ok(f"{VARIABLE} is not set; a study is an SQLite file in its search's folder")
    return failed(
        f"{VARIABLE} is not set, and SQLite does not work in {STORAGE_VARIABLE}={storage}",
        f"set {VARIABLE}, for example to postgresql://HOST/DATABASE",
    )


def _sqlite(file: Path) -> Finding:
    place = file if file.exists() else first_existing(file.parent)
    if file.parent.exists() and os.access(place, os.W_OK):
        return ok(f"{VARIABLE} is {file}, which is writable")
    return failed(
        f"{VARIABLE} is {file}, which cannot be written to",
        f"create its folder, change its owner, or correct {VARIABLE}",
    )


def _database(url: str) -> Finding:
    import sqlalchemy

    try:
        with sqlalchemy.create_engine(url).connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))
    except Exception as problem:  # every database driver raises its own errors
        if missing := missing_extra(f"{VARIABLE}={url}", problem):
            raise missing from None
        return failed(
            f"{VARIABLE}={url} cannot be reached: {one_line(problem)}",
            f"start the database, or correct {VARIABLE}",
        )
    return ok(f"{VARIABLE}={url} can be reached")
