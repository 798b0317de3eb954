"""Drives are recognized by the longest mount point above a file."""

from pathlib import Path

import pytest

from mixfront.search.driver.network_drive import network_drive

MOUNTS = r"""
/dev/vda / ext4 rw 0 0
nas:/home /home nfs4 rw 0 0
tmpfs /home/ann/scratch tmpfs rw 0 0
nas:/big /mnt/big\040disk nfs rw 0 0
""".lstrip()


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/var/optuna.db", None),
        ("/home/ann/optuna.db", "nfs4"),
        ("/home/ann/scratch/optuna.db", None),
        ("/homes/optuna.db", None),
        ("/mnt/big disk/optuna.db", "nfs"),
    ],
)
def test_the_longest_mount_point_decides(tmp_path: Path, file: str, kind: str | None) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    assert network_drive(file, tmp_path / "mounts") == kind


def test_without_a_list_of_mounts_nothing_is_known(tmp_path: Path) -> None:
    assert network_drive("/home/ann/optuna.db", tmp_path / "missing") is None
