"""The check of DeepSpeed and its op, with a fake DeepSpeed."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mixfront.doctor import cpu_op
from mixfront.doctor.finding import Status
from mixfront.training.deepspeed import engine
from mixfront.training.deepspeed.cpu_op import OP


@pytest.fixture(autouse=True)
def deepspeed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    builder = SimpleNamespace(NAME="shm", name="shm")
    accelerator = SimpleNamespace(create_op_builder={OP: builder}.get)
    fake = SimpleNamespace(
        __version__="0.19.8",
        accelerator=SimpleNamespace(get_accelerator=lambda: accelerator),
        ops=SimpleNamespace(__compatible_ops__={"shm": True}),
    )
    monkeypatch.setattr(engine, "import_deepspeed", lambda *_, **__: fake)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(cpu_op, "missing_tools", dict)
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    return fake


def test_the_op_is_built(tmp_path: Path) -> None:
    (tmp_path / "shm").mkdir()
    (tmp_path / "shm" / "shm.so").touch()
    finding = cpu_op.check_deepspeed()
    assert finding.status is Status.OK
    assert finding.seen.endswith("its op is built")


def test_the_op_can_be_built() -> None:
    finding = cpu_op.check_deepspeed()
    assert finding.status is Status.OK
    assert "the first training builds its op" in finding.seen


def test_the_op_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_op, "missing_tools", lambda: {"C++ compiler": "install g++"})
    finding = cpu_op.check_deepspeed()
    assert finding.status is Status.FAILED
    assert finding.seen == "DeepSpeed 0.19.8 cannot build its CPU op: no C++ compiler"
    assert finding.remedy == "install g++"


def test_no_op_is_needed(deepspeed: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    deepspeed.ops.__compatible_ops__ = {}
    assert "without an op" in cpu_op.check_deepspeed().seen
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert cpu_op.check_deepspeed().seen == "DeepSpeed 0.19.8 trains on GPUs"
