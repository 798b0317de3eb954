"""The checks of bf16, GPUs and NCCL, on simulated machines."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed

from mixfront.doctor import devices
from mixfront.doctor.devices import check_bf16, check_gpus
from mixfront.doctor.finding import Status

Machine = Callable[..., None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A function that simulates a machine with certain GPUs and CPU flags."""

    def have(
        gpus: int = 0,
        flags: tuple[str, ...] = (),
        *,
        driver: bool = False,
        cuda: str | None = None,
    ) -> None:
        monkeypatch.setattr(devices, "_has_driver", lambda: driver or gpus > 0)
        monkeypatch.setattr(devices, "cpu_bf16_flags", lambda: flags)
        monkeypatch.setattr(devices, "has_native_bf16", lambda device: device != "cuda:9")
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (int(70e9), int(80e9)))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H100")
        monkeypatch.setattr(torch.cuda.nccl, "version", lambda: (2, 29, 3))
        monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)

    return have


def test_bf16_of_the_cpu(machine: Machine) -> None:
    machine(flags=("amx_bf16",))
    finding = check_bf16()
    assert (finding.status, finding.seen) == (Status.OK, "the CPU has amx_bf16")
    machine()
    finding = check_bf16()
    assert finding.status is Status.WARNING
    assert "would emulate bf16" in finding.seen
    assert "fp32" in finding.remedy


def test_bf16_of_gpus(machine: Machine) -> None:
    machine(gpus=2)
    finding = check_bf16()
    assert finding.status is Status.OK
    assert finding.seen.startswith("2 of 2 GPUs have native bf16")
    machine(gpus=10, flags=("amx_bf16",))
    assert check_bf16().status is Status.WARNING


def test_gpus_that_work(machine: Machine) -> None:
    machine(gpus=2, cuda="13.0")
    finding = check_gpus()
    assert finding.status is Status.OK
    assert finding.seen == (
        "CUDA 13.0, H100 (70.0 of 80.0 GB free), H100 (70.0 of 80.0 GB free), NCCL 2.29.3"
    )


def test_no_gpu_is_fine(machine: Machine) -> None:
    machine()
    assert check_gpus().status is Status.OK


def test_gpus_without_nccl(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(gpus=1, cuda="13.0")
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: False)
    finding = check_gpus()
    assert finding.status is Status.FAILED
    assert "no NCCL" in finding.seen


@pytest.mark.parametrize(
    ("cuda", "seen"), [(None, "is built without CUDA"), ("13.0", "finds no GPU")]
)
def test_a_driver_that_torch_does_not_use(machine: Machine, cuda: str | None, seen: str) -> None:
    machine(driver=True, cuda=cuda)
    finding = check_gpus()
    assert finding.status is Status.FAILED
    assert seen in finding.seen


def test_a_driver_is_recognized_by_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "version")
    assert not devices._has_driver()
    (tmp_path / "version").touch()
    assert devices._has_driver()
