"""What this machine computes with: bf16 in hardware, GPUs, NCCL."""

import shutil
from pathlib import Path

from mixfront.doctor.finding import Finding, failed, ok, warning
from mixfront.doctor.needs import require
from mixfront.training.native_bf16 import cpu_bf16_flags, has_native_bf16

DRIVER = Path("/proc/driver/nvidia/version")


def check_bf16() -> Finding:
    """Only the CPU's flags are read, so that this works without torch too; GPUs if torch sees any.

    `has_native_bf16` says why the flags are asked and not torch.
    """
    devices = _gpus()
    native = [device for device in devices if has_native_bf16(device)]
    if flags := cpu_bf16_flags():
        cpu = f"the CPU has {', '.join(flags)}"
    else:
        cpu = "the CPU has no bf16 instructions and would emulate them, slower than fp32"
    seen = f"{len(native)} of {len(devices)} GPUs have it; {cpu}" if devices else cpu
    if len(native) == len(devices) and (devices or flags):
        return ok(seen)
    return warning(seen, "train with `training.precision: fp32` here")


def check_gpus() -> Finding:
    """CUDA, NCCL and the memory of every GPU; no GPU is fine, if there is none."""
    require("torch")
    import torch

    if torch.cuda.is_available():
        return _gpus_found()
    if not _has_driver():
        return ok("no GPU: trials train on CPUs, with gloo")
    if torch.version.cuda is None:
        return failed(
            f"there is an NVIDIA driver, but torch {torch.__version__} is built without CUDA",
            "install a CUDA build of torch, as https://pytorch.org/get-started/locally says",
        )
    return failed(
        f"torch {torch.__version__} is built for CUDA {torch.version.cuda} but finds no GPU",
        "run `nvidia-smi`: the driver may be older than that CUDA; check CUDA_VISIBLE_DEVICES too",
    )


def _gpus_found() -> Finding:
    import torch
    import torch.distributed

    gpus = ", ".join(_describe(index) for index in range(torch.cuda.device_count()))
    seen = f"CUDA {torch.version.cuda}, {gpus}"
    if not torch.distributed.is_nccl_available():
        return failed(
            f"{seen}; no NCCL, without which workers on GPUs cannot talk to each other",
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
        return []  # torch takes seconds to import
    try:
        require("torch")
    except ModuleNotFoundError:
        return []
    import torch

    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
