"""Tensor files: written, verified, rejected."""

from pathlib import Path

import pytest
import torch

from mixfront.exceptions import DamagedError, TrialError
from mixfront.training import artifact_folder
from mixfront.training.artifact_folder import ArtifactFolder
from mixfront.training.work_counter import WORK


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactFolder:
    return ArtifactFolder(
        str(tmp_path / "x") if request.param == "local" else f"memory://{tmp_path}/x"
    )


def test_tensors_survive_a_round_trip(folder: ArtifactFolder) -> None:
    tensors = {"a": torch.randn(3, 2), "step": torch.tensor(7.0), "b": torch.arange(4)}
    file = folder.write_tensors("t.safetensors", tensors)
    loaded = folder.read_tensors("t.safetensors", file)
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], value) for name, value in tensors.items())


def test_a_long_file_is_written_in_pieces_that_are_counted(
    folder: ArtifactFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_folder, "_PIECE", 1000)
    before, data = WORK.count, bytes(range(256)) * 10
    assert folder.write("long", data).num_bytes == 2560
    assert WORK.count - before == 3
    assert folder.read("long") == data


def test_changed_content_is_rejected(folder: ArtifactFolder) -> None:
    file = folder.write_tensors("t.safetensors", {"a": torch.zeros(2)})
    folder.verify("t.safetensors", file)
    folder.write_tensors("t.safetensors", {"a": torch.ones(2)})
    with pytest.raises(DamagedError, match="digest differs"):
        folder.read_tensors("t.safetensors", file)
    with pytest.raises(DamagedError, match="digest differs"):
        folder.verify("t.safetensors", file)
    folder.remove("t.safetensors")
    with pytest.raises(DamagedError, match="cannot read"):
        folder.verify("t.safetensors", file)


def test_a_storage_that_fails_is_not_damage(
    folder: ArtifactFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError("access denied")

    file = folder.write("f", b"x")
    for method in ("open", "cat_file"):
        monkeypatch.setattr(folder._fs, method, fail)
    for read in (lambda: folder.verify("f", file), lambda: folder.read("f")):
        with pytest.raises(TrialError, match="access denied") as error:
            read()
        assert not isinstance(error.value, DamagedError)


def test_verifying_a_long_file_counts_pieces(
    folder: ArtifactFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.write("long", bytes(range(256)) * 10)
    monkeypatch.setattr(artifact_folder, "_PIECE", 1000)
    before = WORK.count
    folder.verify("long", file)
    assert WORK.count - before == 3


def test_a_folder_knows_its_place_in_another(folder: ArtifactFolder) -> None:
    assert ArtifactFolder(f"{folder.url}/step-3/").name_in(folder) == "step-3"
    assert folder.name_in(folder) is None
    assert ArtifactFolder(f"{folder.url}-other/step-3").name_in(folder) is None


def test_a_file_that_is_not_safetensors_is_never_unpickled(folder: ArtifactFolder) -> None:
    folder.write("t.safetensors", b"\x80\x04N.")
    with pytest.raises(TrialError, match="damaged"):
        folder.read_tensors("t.safetensors")


def test_a_missing_file_is_an_error_in_one_sentence(folder: ArtifactFolder) -> None:
    with pytest.raises(TrialError, match=r"cannot read .*/nothing"):
        folder.read("nothing")


def test_names_and_removal(folder: ArtifactFolder) -> None:
    assert folder.names() == []
    folder.write("one/file", b"x")
    folder.write("two", b"x")
    assert folder.names() == ["one", "two"]
    assert folder.exists("one/file")
    folder.remove("one")
    folder.remove("absent")
    assert folder.names() == ["two"]
