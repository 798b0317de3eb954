"""Finding a search by name, folder or spec."""

from pathlib import Path

import pytest

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.records import RecordStore, SearchRecord, locate_search


@pytest.fixture(autouse=True)
def no_storage_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIXFRONT_STORAGE", raising=False)


def test_find_by_name_in_a_given_storage(store: RecordStore, search: SearchRecord) -> None:
    storage = store.url.rsplit("/", 1)[0]
    assert locate_search("demo", storage).search() == search


def test_find_by_name_in_the_storage_of_the_environment(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXFRONT_STORAGE", store.url.rsplit("/", 1)[0])
    assert locate_search("demo").url == store.url


def test_find_by_name_in_the_default_storage(
    tmp_path: Path, search: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    RecordStore(str(tmp_path / "mixfront-searches"), "demo").create(search)
    assert locate_search("demo").url == str(tmp_path / "mixfront-searches" / "demo")


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}"])
def test_find_by_folder(store: RecordStore, form: str) -> None:
    assert locate_search(form.format(store.url)).url == store.url


def test_find_by_relative_folder(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(store.url).parent)
    assert locate_search("./demo").url == store.url


def test_find_by_url_in_an_object_store(search: SearchRecord) -> None:
    RecordStore("memory://located", "demo").create(search)
    assert locate_search("memory://located/demo").search() == search


def test_find_by_spec(store: RecordStore, tmp_path: Path) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text(f"name: demo\nstorage: {Path(store.url).parent}\n")
    assert locate_search(str(spec)).url == store.url


def test_a_given_storage_overrides_the_specs(store: RecordStore, tmp_path: Path) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text("name: demo\nstorage: elsewhere\n")
    assert locate_search(str(spec), str(Path(store.url).parent)).url == store.url


def test_an_unknown_name_suggests_the_nearest(store: RecordStore) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'demo'"):
        locate_search("dmo", str(Path(store.url).parent))


def test_a_folder_without_a_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown search"):
        locate_search(str(tmp_path / "nothing"))


def test_a_spec_without_a_name_is_refused(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("- just\n- a list\n")
    with pytest.raises(SpecError, match="has no name"):
        locate_search(str(spec))


@pytest.mark.parametrize("url", ["foo://bar", "zip://a::b"])
def test_a_url_that_cannot_be_opened_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(SpecError, match="cannot open the storage"):
        locate_search(url)
    with pytest.raises(SpecError, match="cannot open the storage"):
        locate_search("demo", url)
