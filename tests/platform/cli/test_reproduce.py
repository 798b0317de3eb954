"""`mixfront reproduce` before anything trains."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mixfront.cli.app import app
from mixfront.exceptions import StorageError
from mixfront.records import RecordStore, SearchRecord, TrialRecord


def test_a_record_that_names_a_model_elsewhere_is_refused(
    store: RecordStore, trial: TrialRecord
) -> None:
    store.save_trial(trial.model_copy(update={"model_url": "/elsewhere/final"}))
    done = CliRunner().invoke(app, ["reproduce", store.url, "0"])
    assert isinstance(done.exception, StorageError)
    assert "the exported model of trial 0 is at '/elsewhere/final'" in str(done.exception)


@pytest.mark.parametrize("encoder", ["/elsewhere/encoder", "s3://elsewhere/encoder"])
def test_an_encoder_elsewhere_is_refused(
    search: SearchRecord, store: RecordStore, trial: TrialRecord, encoder: str, tmp_path: Path
) -> None:
    store.save_search(search.model_copy(update={"encoder": encoder}))
    store.save_trial(trial)
    done = CliRunner().invoke(app, ["reproduce", store.url, "0"])
    assert isinstance(done.exception, StorageError)
    assert encoder in str(done.exception)
    assert [path.name for path in (tmp_path / "searches").iterdir()] == ["demo"]
