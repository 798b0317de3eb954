"""The log does not believe damaged records."""

from pathlib import Path

import pytest
from tests.faults.in_process.training_log import read_record

from mixfront.records import TrialRecord


@pytest.mark.parametrize(("folder", "is_read"), [("3", True), ("4", False)])
def test_a_record_counts_only_in_its_own_folder(
    tmp_path: Path, folder: str, is_read: bool
) -> None:
    """A copy of trial 3's record in the folder of trial 4 says nothing about either."""
    path = tmp_path / folder / "record.json"
    path.parent.mkdir()
    path.write_text(TrialRecord(trial_id="3", family="wukong", config={}).model_dump_json())
    assert (read_record(path) is not None) == is_read
