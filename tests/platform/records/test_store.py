"""Records in storage."""

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mixfront.exceptions import SpecError, TrackingError, UnknownNameError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState, list_searches
from mixfront.records.fence import Fence


def test_records_are_read_back_unchanged(
    store: RecordStore, search: SearchRecord, trial: TrialRecord
) -> None:
    store.save_trial(trial)
    assert store.search() == search
    assert store.trial("0") == trial
    assert store.trials() == [trial]


def test_storage_that_fails_is_not_taken_for_one_without_the_records(
    store: RecordStore, search: SearchRecord, trial: TrialRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`exists` of fsspec is false for any error."""
    store.save_trial(trial)
    store.save_data_files({"day.parquet": "4711"})

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(store._fs, "info", fail)
    assert not store.exists()
    assert store.search() == search
    assert store.trial("0") == trial
    assert store.data_files() == {"day.parquet": "4711"}


def test_nan_and_infinite_metrics_are_read_back(store: RecordStore, trial: TrialRecord) -> None:
    trial.metrics = {"uauc": math.nan, "logloss": math.inf}
    store.save_trial(trial)
    metrics = store.trial("0").metrics
    assert math.isnan(metrics["uauc"])
    assert metrics["logloss"] == math.inf


def test_a_record_of_version_0_1_can_be_read(store: RecordStore, trial: TrialRecord) -> None:
    old = trial.model_dump(mode="json", exclude={"model_url"}) | {"final": "s3://m/trials/0/final"}
    path = Path(store.url) / "trials" / "0" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(old))
    assert store.trial("0").model_url == "s3://m/trials/0/final"


def test_trials_are_ordered_by_number(store: RecordStore, trial: TrialRecord) -> None:
    for number in (10, 9, 2):
        store.save_trial(trial.model_copy(update={"trial_id": str(number)}))
    assert [record.trial_id for record in store.trials()] == ["2", "9", "10"]


@pytest.mark.parametrize(("folder", "trial_id"), [("x", "x"), ("0", "x"), ("0", "1"), ("²", "²")])
def test_a_planted_record_of_no_trial_is_refused(
    store: RecordStore, trial: TrialRecord, folder: str, trial_id: str
) -> None:
    planted = trial.model_copy(update={"trial_id": trial_id})
    path = Path(store.url) / "trials" / folder / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(planted.model_dump_json())
    with pytest.raises(TrackingError, match=r"record\.json says that it is of trial"):
        store.trials()


def test_a_trial_id_cannot_name_another_searchs_trial(
    store: RecordStore, search: SearchRecord, trial: TrialRecord
) -> None:
    other = RecordStore(str(Path(store.url).parent), "other")
    other.create(search.model_copy(update={"name": "other"}))
    other.save_trial(trial)
    with pytest.raises(UnknownNameError, match="unknown trial"):
        store.trial("../../other/trials/0")


@pytest.mark.parametrize("text", ["null", "[]", "{", '{"name": "../../elsewhere"}'])
def test_searches_are_named_by_their_folders(store: RecordStore, text: str) -> None:
    (Path(store.url) / "search.json").write_text(text)
    assert list_searches(str(Path(store.url).parent)) == ["demo"]


def test_a_search_name_can_only_be_used_once(store: RecordStore, search: SearchRecord) -> None:
    with pytest.raises(SpecError, match="mixfront search resume demo"):
        store.create(search)


class PausingFileSystem(MemoryFileSystem):  # type: ignore[misc]  # untyped in fsspec
    """An object store with conditional puts, on which all writers look before any writes."""

    protocol = "pausing"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    barrier = threading.Barrier(8)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        """Wait for the other writers, then put: `create` fails if the object exists."""
        self.barrier.wait(10)
        super().pipe_file(path, value, mode=mode, **options)


def create_at_once(storage: str, search: SearchRecord) -> list[str]:
    """Create one search from eight threads at once; returns the ids of those that succeeded."""
    barrier, created = threading.Barrier(8), []

    def create(number: int) -> None:
        record = search.model_copy(update={"search_id": f"demo-{number}"})
        store = RecordStore(storage, "demo")
        barrier.wait(10)
        with suppress(SpecError):
            store.create(record)
            created.append(record.search_id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(8)))
    return created


@pytest.mark.parametrize("attempt", range(5))
def test_one_of_several_creators_succeeds_on_local_files(
    search: SearchRecord, tmp_path: Path, attempt: int
) -> None:
    created = create_at_once(str(tmp_path / str(attempt)), search)
    assert created == [RecordStore(str(tmp_path / str(attempt)), "demo").search().search_id]


def test_a_search_can_be_created_without_hard_links(
    search: SearchRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    created = create_at_once(str(tmp_path), search)
    assert created == [RecordStore(str(tmp_path), "demo").search().search_id]
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["search.json"]


def test_one_of_several_creators_succeeds_on_an_object_store(search: SearchRecord) -> None:
    fsspec.register_implementation("pausing", PausingFileSystem, clobber=True)
    created = create_at_once("pausing://one", search)
    assert created == [RecordStore("pausing://one", "demo").search().search_id]


def test_a_creation_that_was_sent_twice_succeeds(
    search: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response to a put is lost, and its repetition fails."""
    store = RecordStore("memory://twice", "demo")
    put = store._fs.pipe_file

    def put_twice(*arguments: Any, **options: Any) -> None:
        put(*arguments, **options)
        put(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store._fs, "pipe_file", put_twice)
        store.create(search)
    assert store.search() == search


def test_unknown_names_suggest_existing_ones(store: RecordStore, trial: TrialRecord) -> None:
    store.save_trial(trial)
    storage = store.url.rsplit("/", 1)[0]
    with pytest.raises(UnknownNameError, match="did you mean 'demo'"):
        RecordStore(storage, "demos").search()
    with pytest.raises(UnknownNameError, match="unknown trial '7'"):
        store.trial("7")
    assert list_searches(storage) == ["demo"]


def test_the_error_names_a_damaged_record(store: RecordStore, trial: TrialRecord) -> None:
    store.save_trial(trial)
    path = Path(store.trial_url("0")) / "record.json"
    path.write_text(path.read_text()[:20])
    with pytest.raises(TrackingError, match=r"trials/0/record\.json is not a TrialRecord"):
        store.trials()


def test_only_running_and_interrupted_trials_are_unfinished() -> None:
    open_states = {state for state in TrialState if not state.is_finished}
    assert open_states == {TrialState.RUNNING, TrialState.INTERRUPTED}


def test_records_can_be_in_an_object_store(search: SearchRecord, trial: TrialRecord) -> None:
    store = RecordStore("memory://records", "demo")
    store.create(search)
    store.save_trial(trial)
    assert RecordStore("memory://records", "demo").trials() == [trial]


def test_nothing_is_written_once_the_lease_is_lost(
    store: RecordStore, search: SearchRecord, trial: TrialRecord
) -> None:
    fenced = store.fenced(Fence(1, lambda: "the lease is lost"))
    fenced.save_trial(trial)
    fenced.save_search(search.model_copy(update={"state": "interrupted"}))
    assert store.trials() == []
    assert fenced.search() == store.search() == search
