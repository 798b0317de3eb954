"""Locations inside and outside of a search's folder."""

from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from mixfront.exceptions import StorageError
from mixfront.records.own_folder import OwnFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A search's folder with one exported model, next to a file that is not the search's."""
    model = tmp_path / "searches" / "demo" / "trials" / "0" / "final"
    model.mkdir(parents=True)
    (model / "model.json").write_text("{}")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("s3cr3t")
    return tmp_path / "searches" / "demo"


def test_other_spellings_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.chdir(folder.parent)
    (folder.parent / "link").symlink_to(folder)
    names = [str(folder), "demo", "./demo", "~/demo", f"file://{folder}", f"local://{folder}"]
    names += [str(folder.parent / "link"), f"{folder}/../demo"]
    for recorded in names:
        for now in names:
            url = OwnFolder(now).url_of(f"{recorded}/trials/0/final", "the model")
            assert url == f"{now}/trials/0/final"


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "{folder}/../../secret",
        "{folder}",
        "{folder}/trials/..",
        "{folder}-2/trials/0/final",
        "file:///etc/passwd",
        "s3://other/demo/trials/0/final",
        "nosuch://demo/trials/0/final",
        "simplecache::file://{folder}/trials/0/final",
        "trials/0/final",
        "",
    ],
)
def test_a_location_outside_is_refused_by_its_value(folder: Path, location: str) -> None:
    location = location.format(folder=folder)
    with pytest.raises(StorageError) as refused:
        OwnFolder(str(folder)).url_of(location, "the checkpoint of trial 3")
    assert f"the checkpoint of trial 3 is at {location!r}" in str(refused.value)
    assert str(folder) in str(refused.value)


def test_a_symbolic_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "trials/1").symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match="secret"):
        OwnFolder(str(folder)).url_of(f"{folder}/trials/1", "the model")
    with pytest.raises(StorageError, match="secret"):  # also where the folder was moved to
        OwnFolder(str(folder), "/old/demo").url_of("/old/demo/trials/1", "the model")


def test_a_linked_file_is_refused(folder: Path, tmp_path: Path) -> None:
    own = OwnFolder(str(folder))
    url = own.url_of(f"{folder}/trials/0/final", "the model")
    assert own.files(url, "the model") == [f"{folder}/trials/0/final/model.json"]
    (folder / "trials/0/final/sample").symlink_to(tmp_path / "secret/key")
    with pytest.raises(StorageError, match="secret/key"):
        own.files(url, "the model")


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "trials/best").symlink_to(folder / "trials/0")
    own = OwnFolder(str(folder))
    assert own.files(own.url_of(f"{folder}/trials/best/final", "the model"), "the model")


def test_a_folder_that_was_moved_or_renamed(folder: Path) -> None:
    own = OwnFolder(str(folder), "/nfs/searches/first")
    url = own.url_of("/nfs/searches/first/trials/0/final", "the model")
    assert url == f"{folder}/trials/0/final"
    copied = OwnFolder("memory://searches/demo", "/nfs/searches/first")
    url = copied.url_of("/nfs/searches/first/trials/0/step-8", "the checkpoint")
    assert url == "memory://searches/demo/trials/0/step-8"
    with pytest.raises(StorageError, match="move the search back if it was moved"):
        OwnFolder(str(folder)).url_of("/nfs/searches/first/trials/0/final", "the model")


def test_a_folder_in_an_object_store() -> None:
    url = f"memory://{uuid4().hex}/demo"
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/trials/0/final/model.json", b"{}")
    own = OwnFolder(f"{url}/")
    model = own.url_of(f"{url}/trials/0/final/", "the model")
    assert model == f"{url}/trials/0/final"
    assert own.files(model, "the model") == [f"{root}/trials/0/final/model.json"]
    for location in (f"{url}/../other/key", "memory://other/key", f"{url}-2/key", "/etc/passwd"):
        with pytest.raises(StorageError, match="is not in the search's folder"):
            own.url_of(location, "the model")


def test_chained_urls_are_compared_as_they_are_spelled() -> None:
    url = "simplecache::memory://searches/demo"
    own = OwnFolder(url)
    assert own.url_of(f"{url}/trials/0/final", "the model") == f"{url}/trials/0/final"
    with pytest.raises(StorageError):
        own.url_of("filecache::memory://searches/demo/trials/0/final", "the model")
