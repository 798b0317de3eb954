"""A stale lock of a killed build must not block the next build."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mixfront.training.deepspeed.cpu_op import OP, build_cpu_op


class _Builder:
    NAME = name = "some_op"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.loads = 0

    def load(self, verbose: bool) -> None:
        """Like torch's, but fails where torch would wait for a lock."""
        assert not verbose
        assert list(self.root.rglob("lock")) == []
        self.loads += 1


def _deepspeed(builder: _Builder, *, compatible: bool) -> SimpleNamespace:
    accelerator = SimpleNamespace(create_op_builder={OP: builder}.get)
    return SimpleNamespace(
        accelerator=SimpleNamespace(get_accelerator=lambda: accelerator),
        ops=SimpleNamespace(__compatible_ops__={builder.NAME: compatible}),
    )


@pytest.mark.parametrize("folder", ["some_op", "py311_cpu/some_op"])
def test_a_stale_lock_is_removed(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "lock").touch()
    builder = _Builder(tmp_path)
    build_cpu_op(_deepspeed(builder, compatible=True))
    assert builder.loads == 1


def test_an_incompatible_machine_builds_nothing(tmp_path: Path) -> None:
    builder = _Builder(tmp_path)
    build_cpu_op(_deepspeed(builder, compatible=False))
    assert builder.loads == 0
