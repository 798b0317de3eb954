"""What is checked and written before a search's first worker starts."""

from pathlib import Path
from typing import Any

import fsspec
import pytest
from rich.console import Console

from mixfront.data import open_dataset
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.exceptions import SpecError
from mixfront.records import RecordStore, SearchRecord
from mixfront.search.prepare import prepare_search
from mixfront.spaces import load_space
from mixfront.spec.search_spec import SearchSpec, load_spec


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking_uri: str) -> SearchSpec:
    for name in ("MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "MIXFRONT_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_synthetic(tmp_path / "demo-data", 1500, 0)
    return load_spec("demo", [f"tracking.uri={tracking_uri}"])


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders whose files have been listed."""
    listed: list[str] = []
    find = fsspec.AbstractFileSystem.find

    def count(source: Any, path: str, *arguments: Any, **options: Any) -> Any:
        listed.append(path)
        return find(source, path, *arguments, **options)

    monkeypatch.setattr(fsspec.AbstractFileSystem, "find", count)
    return listed


def test_the_files_of_the_data_set_are_listed_once(spec: SearchSpec, listings: list[str]) -> None:
    store, record = prepare_search(spec, Console(quiet=True))
    assert listings.count(spec.data.path) == 1
    dataset = open_dataset(spec.data.path)
    assert record.dataset_digest == dataset.digest
    assert store.data_files() == dataset.footers


def test_the_loser_of_two_runs_leaves_the_winner_alone(
    spec: SearchSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second search is prepared after the first has looked and before it writes its record."""
    winners = []
    create = RecordStore.create

    def create_second(store: RecordStore, record: SearchRecord) -> None:
        monkeypatch.setattr(RecordStore, "create", create)
        winners.append(prepare_search(spec, Console(quiet=True))[1])
        create(store, record)

    monkeypatch.setattr(RecordStore, "create", create_second)
    with pytest.raises(SpecError, match="a search named 'demo' already exists"):
        prepare_search(spec, Console(quiet=True))
    store = RecordStore(spec.storage, spec.name)
    assert store.search().search_id == winners[0].search_id
    files = {str(path) for path in Path(store.url).iterdir()}
    of_winner = {winners[0].encoder, winners[0].space}
    assert files == {f"{store.url}/search.json", f"{store.url}/data_files.json", *of_winner}


def test_the_space_is_saved_with_the_search(spec: SearchSpec) -> None:
    store, record = prepare_search(spec, Console(quiet=True))
    assert record.space is not None
    assert record.space.startswith(f"{store.url}/space-")
    assert load_space(record.space) == load_space(spec.space)
