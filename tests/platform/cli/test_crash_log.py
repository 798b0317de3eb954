"""The crash log of an unexpected error."""

from pathlib import Path

import pytest

from mixfront.cli.crash_log import write_crash_log


def test_a_log_has_versions_and_is_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path))
    path = write_crash_log(RuntimeError("broken"))
    assert path.parent == tmp_path / "logs"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert "mixfront 0." in path.read_text()
