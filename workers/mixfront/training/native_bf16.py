"""Whether a device multiplies bfloat16 matrices in hardware, so that bf16 training pays off."""

import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CPU_FLAGS = ("amx_bf16", "avx512_bf16", "bf16")  # the last is Arm's name


def has_native_bf16(device: str) -> bool:
    """Whether bf16 matrix products are faster than fp32 ones on `device`.

    For CPUs we read the CPU flags: `torch.ops.mkldnn._is_mkldnn_bf16_supported()` is true for any
    AVX-512 CPU, even where oneDNN emulates bf16. Ratio of bf16 to fp32 rate of square GEMMs,
    measured with torch 2.13: 4.5 with AMX (580 against 130 GFLOP/s), 2.3 with AVX512_BF16 alone
    (409 against 181), and 0.31 on a CPU with AVX-512 but neither (20 against 65, the same for
    n = 256, 512 and 1024). Timing a GEMM would work too, but depends on the machine's load.

    Args:
        device: A torch device name: "cpu", "cuda" or "cuda:1". For "cpu", torch need not be
            installed.

    Returns:
        For CUDA, whether the GPU has bf16 tensor cores (Ampere and later). For a CPU, whether
        /proc/cpuinfo lists one of `CPU_FLAGS`; False on systems without that file.
    """
    if device.startswith("cuda"):
        import torch

        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(cpu_bf16_flags())


def cpu_bf16_flags() -> tuple[str, ...]:
    """The `CPU_FLAGS` that this machine's CPU has."""
    text = CPUINFO.read_text() if CPUINFO.exists() else ""
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(match[1].split()) if match else set()
    return tuple(flag for flag in CPU_FLAGS if flag in flags)
