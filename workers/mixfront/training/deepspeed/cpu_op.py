"""Compiles DeepSpeed's CPU op once per environment, without hanging on a stale lock.

DeepSpeed compiles `deepspeed_shm_comm` on first use (10 to 45 s of g++), guarded by a plain lock
file. A process killed while compiling leaves the file behind, and later processes wait forever.
The operating system releases our lock when its process ends, so the holder knows that any
DeepSpeed lock file it finds is an orphan. Each Python environment has its own build folder: in a
shared one, two environments overwrite each other's build at every start.
"""

import contextlib
import hashlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock

OP = "ShareMemCommBuilder"


def build_cpu_op(deepspeed: Any) -> None:
    """Compile the op if DeepSpeed has it and the machine can; a no-op once it is built."""
    builder = cpu_op_builder(deepspeed)
    if builder is None:
        return
    root = _build_root()
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "mixfront-build.lock"), contextlib.redirect_stdout(io.StringIO()):
        for orphan in [*root.glob(f"{builder.name}/lock"), *root.glob(f"*/{builder.name}/lock")]:
            orphan.unlink(missing_ok=True)
        builder.load(verbose=False)


def cpu_op_builder(deepspeed: Any) -> Any | None:
    """DeepSpeed's builder of the op; None if it has none for its device and this machine."""
    builder = deepspeed.accelerator.get_accelerator().create_op_builder(OP)
    if builder is None or not deepspeed.ops.__compatible_ops__.get(builder.NAME, False):
        return None
    return builder


def is_built() -> bool:
    """Whether the op is compiled for this environment; does not import DeepSpeed."""
    return any(_build_root().glob("*/*.so"))


def _build_root() -> Path:
    """TORCH_EXTENSIONS_DIR, which defaults to a folder for this Python environment."""
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
    own = Path.home() / ".cache" / "mixfront" / "torch_extensions" / environment
    return Path(os.environ.setdefault("TORCH_EXTENSIONS_DIR", str(own)))
