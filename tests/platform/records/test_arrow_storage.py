"""The storage as Ray sees it."""

import pickle
from pathlib import Path

import fsspec
import pytest
from pyarrow.fs import FileSelector

from mixfront.exceptions import SpecError
from mixfront.records.arrow_storage import arrow_storage


def test_a_local_path_is_left_to_ray(tmp_path: Path) -> None:
    assert arrow_storage(str(tmp_path / "x")) == (None, str(tmp_path / "x"))
    assert arrow_storage(f"file://{tmp_path}/x") == (None, str(tmp_path / "x"))


def test_files_of_one_are_files_of_the_other(tmp_path: Path) -> None:
    filesystem, path = arrow_storage(f"memory://{tmp_path}")
    assert filesystem is not None
    assert not path.startswith("memory:")
    filesystem.create_dir(f"{path}/run", recursive=True)
    with filesystem.open_output_stream(f"{path}/run/marker") as file:
        file.write(b"x")
    assert fsspec.filesystem("memory").cat_file(f"{tmp_path}/run/marker") == b"x"
    again = pickle.loads(pickle.dumps(filesystem))
    assert again == filesystem
    (found,) = again.get_file_info(FileSelector(f"{path}/run"))
    assert found.base_name == "marker"


def test_keys_of_fsspec_are_not_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray Tune writes its run configuration to the storage."""
    pytest.importorskip("s3fs")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"key": "AKIA-name", "secret": "hidden-key"})
    filesystem, path = arrow_storage("s3://bucket/search/tune")
    assert path == "bucket/search/tune"
    assert b"hidden-key" in pickle.dumps(fsspec.filesystem("s3"))
    assert b"hidden-key" not in pickle.dumps(filesystem)


def test_an_unknown_kind_of_storage_is_refused() -> None:
    with pytest.raises(SpecError, match="cannot open the storage 'nothing://x'"):
        arrow_storage("nothing://x")
