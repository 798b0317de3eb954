"""Checks native bf16, GPUs and NCCL."""

import shutil
from pathlib import Path

from mixfront.doctor.finding import Finding, failed, ok, warning
from mixfront.doctor.needs import require
from mixfront.training.native_bf16 import cpu_bf16_flags, has_native_bf16

DRIVER = Path("/proc/driver/nvidia/version")


def check_bf16() -> Finding:
    """Check bf16 by the CPU's flags, which works without torch, and on GPUs if torch sees any.

    `has_native_bf16` explains why torch's own check of the CPU is not used.
    """
    devices = _gpus()
    native = [device for device in devices if has_native_bf16(device)]
    if flags := cpu_bf16_flags():
        cpu = f"the CPU has {', '.join(flags)}"
    else:
        cpu = "the CPU has no bf16 instructions and would emulate bf16, slower than fp32"
    seen = f"{len(native)} of {len(devices)} GPUs have native bf16; {cpu}" if devices else cpu
    if len(native) == len(devices) and (devices or flags):
        return ok(seen)
    return warning(seen, "train with `training.precision: fp32` here")


def check_gpus() -> Finding:
    """Check CUDA, NCCL and the memory of every GPU; a machine without GPUs is fine."""
    require("torch")
    import torch

    if torch.cuda.is_available():
        return _check_nccl()
    if not _has_driver():
        return ok("no GPU: trials train on CPUs, with gloo")
    if torch.version.cuda is None:
        return failed(
            f"there is an NVIDIA driver, but torch {torch.__version__} is built without CUDA",
            "install a CUDA build of torch, see https://pytorch.org/get-started/locally",
        )
    return failed(
        f"torch {torch.__version__} is built for CUDA {torch.version.cuda} but finds no GPU",
        "check CUDA_VISIBLE_DEVICES, and with `nvidia-smi` whether the driver is too old",
    )


def _check_nccl() -> Finding:
    import torch
    import torch.distributed

    gpus = ", ".join(_describe(index) for index in range(torch.cuda.device_count()))
    seen = f"CUDA {torch.version.cuda}, {gpus}"
    if not torch.distributed.is_nccl_available():
        return failed(
            f"{seen}; no NCCL, so workers on GPUs cannot communicate",
            "install torch from PyPI, whose CUDA builds for Linux have NCCL",
        )
    version: tuple[int, ...] = torch.cuda.nccl.version()  # type: ignore[no-untyped-call]
    return ok(f"{seen}, NCCL {'.'.join(map(str, version))}")


def _describe(index: int) -> str:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    name = torch.cuda.get_device_name(index)
    return f"{name} ({free / 1e9:.1f} of {total / 1e9:.1f} GB free)"


def _has_driver() -> bool:
    return shutil.which("nvidia-smi") is not None or DRIVER.exists()


def _gpus() -> list[str]:
    if not _has_driver():
        return []  # saves the import of torch, which takes seconds
    try:
        require("torch")
    except ModuleNotFoundError:
        return []
    import torch

    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
