"""DeepSpeed's one CPU op, built once a machine and never waited for in vain.

DeepSpeed compiles `deepspeed_shm_comm` at first use (10 s of g++) behind a lock that is a mere
file: a process killed while it compiles leaves the file, and every later one waits for ever. Our
lock ends with its process, so whoever holds it knows that a lock file left there is an orphan.
Each Python environment gets a folder of its own: in a shared one, two environments undo each
other's build at every start.
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
    """Have the op compiled, if this DeepSpeed has it and the machine can; a no-op afterwards."""
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
    """Whether the op was compiled for this environment; does not import DeepSpeed."""
    return any(_build_root().glob("*/*.so"))


def _build_root() -> Path:
    """TORCH_EXTENSIONS_DIR, set to this environment's own folder unless somebody chose one."""
    environment = hashlib.sha256(sys.prefix.encode()).hexdigest()[:12]
    own = Path.home() / ".cache" / "mixfront" / "torch_extensions" / environment
    return Path(os.environ.setdefault("TORCH_EXTENSIONS_DIR", str(own)))
