"""The command of a RayJob, which may run more than once."""

from pathlib import Path

import pytest

from mixfront.cluster.kubernetes.run_or_resume import command
from mixfront.records import RecordStore, SearchRecord


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "spec.yaml"
    path.write_text(f"name: demo\nstorage: {tmp_path / 'searches'}\n")
    return str(path)


def test_a_new_search_is_run(spec: str) -> None:
    assert command(spec) == ["search", "run", spec]


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_a_search_that_exists_is_resumed(
    spec: str, store: RecordStore, search: SearchRecord, state: str
) -> None:
    store.save_search(search.model_copy(update={"state": state}))
    assert command(spec) == ["search", "resume", spec]


def test_a_finished_search_is_left_alone(
    spec: str, store: RecordStore, search: SearchRecord
) -> None:
    store.save_search(search.model_copy(update={"state": "finished"}))
    assert command(spec) is None
