"""Which devices multiply bfloat16 in hardware."""

from pathlib import Path

import pytest
import torch

from mixfront.training import native_bf16
from mixfront.training.native_bf16 import has_native_bf16

INTEL = "processor\t: 0\nflags\t\t: fpu avx512f avx512_vnni {}\nbugs\t\t: none\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd i8mm {}\n"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (INTEL.format("amx_bf16 amx_tile avx512_bf16"), True),
        (INTEL.format("avx512_bf16"), True),
        (INTEL.format(""), False),  # torch reports support here, but emulates
        (INTEL.format("avx512_bf16_like"), False),
        (ARM.format("bf16"), True),
        (ARM.format(""), False),
        ("processor\t: 0\n", False),
    ],
)
def test_cpus_are_judged_by_their_flags(
    cpuinfo: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(cpuinfo)
    monkeypatch.setattr(native_bf16, "CPUINFO", file)
    assert has_native_bf16("cpu") is expected


def test_a_system_without_cpuinfo_has_no_native_bf16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_bf16, "CPUINFO", tmp_path / "missing")
    assert has_native_bf16("cpu") is False


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpus_are_judged_by_their_generation() -> None:
    assert has_native_bf16("cuda") is (torch.cuda.get_device_capability()[0] >= 8)
