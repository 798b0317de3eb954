"""Whether a device multiplies bfloat16 matrices in hardware, so that bf16 is worth training in."""

import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CPU_FLAGS = ("amx_bf16", "avx512_bf16", "bf16")  # the last one is Arm's name for it


def has_native_bf16(device: str) -> bool:
    """Whether bf16 matrix products are faster than fp32 ones on `device`.

    The answer comes from the CPU's flags and not from
    `torch.ops.mkldnn._is_mkldnn_bf16_supported()`, which is true for any AVX-512 CPU, also where
    oneDNN emulates bf16. Measured with torch 2.13, square GEMMs, bf16 rate over fp32 rate: 4.5
    with AMX (580 against 130 GFLOP/s), 2.3 with AVX512_BF16 alone (409 against 181), and 0.31 on
    a CPU with AVX-512 but neither (20 against 65, for n = 256, 512 and 1024 alike). A timed GEMM
    would see it too, but its answer would depend on what else the machine is doing.

    Args:
        device: As torch names it: "cpu", "cuda" or "cuda:1". A CPU is not asked through torch,
            so torch need not be installed.

    Returns:
        For CUDA, whether the GPU has bf16 tensor cores (Ampere and later); for a CPU, whether
        Linux lists one of `CPU_FLAGS`, so False on systems without /proc/cpuinfo.
    """
    if device.startswith("cuda"):
        import torch

        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(cpu_bf16_flags())


def cpu_bf16_flags() -> tuple[str, ...]:
    """Those of `CPU_FLAGS` that this machine's CPU has."""
    text = CPUINFO.read_text() if CPUINFO.exists() else ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(found[1].split()) if found else set()
    return tuple(flag for flag in CPU_FLAGS if flag in flags)
