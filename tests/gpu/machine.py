"""The device under test, the size of the shapes, and the time limit."""

import importlib.util
import os
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One device and the limits of a part that runs on it.

    Attributes:
        device: "cuda:0" or "cpu".
        small: Whether to use tiny shapes, which test only the script itself.
        folder: For scratch files.
        deadline: On `time.monotonic`'s clock; a part starts no new measurement after it.
    """

    device: str
    small: bool
    folder: Path
    deadline: float = field(default=float("inf"))

    @property
    def is_cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")

    def pick(self, full: T, small: T) -> T:
        """`small` if the shapes are tiny, else `full`."""
        return small if self.small else full

    def synchronize(self) -> None:
        """Wait until the device has finished its work."""
        if self.is_cuda:
            torch.cuda.synchronize(self.device)

    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def device_name(self) -> str:
        """The device's model."""
        if self.is_cuda:
            return torch.cuda.get_device_name(self.device)
        return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"

    def environment(self) -> dict[str, str]:
        """Versions and sizes that the results depend on."""
        facts = {
            "device": self.device_name(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "deepspeed": _version("deepspeed"),
            "CPU cores": str(os.cpu_count()),
        }
        if self.is_cuda:
            memory = torch.cuda.get_device_properties(self.device).total_memory
            facts |= {
                "CUDA": str(torch.version.cuda),
                "device memory": f"{memory / 2**30:.1f} GiB",
            }
        return facts


def has_deepspeed() -> bool:
    """Whether DeepSpeed is installed."""
    return importlib.util.find_spec("deepspeed") is not None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
