"""DeepSpeed's one CPU op, built once a machine and never waited for in vain.

DeepSpeed compiles `deepspeed_shm_comm` at first use (10 s of g++) behind a lock that is a mere
file: a process killed while it compiles leaves the file, and every later one waits for ever. Our
lock ends with its process, so whoever holds it knows that a lock file left there is an orphan.
"""

import contextlib
import io
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

OP = "ShareMemCommBuilder"


def build_cpu_op(deepspeed: Any) -> None:
    """Have the op compiled, if this DeepSpeed has it and the machine can; a no-op afterwards."""
    builder = deepspeed.accelerator.get_accelerator().create_op_builder(OP)
    if builder is None or not deepspeed.ops.__compatible_ops__.get(builder.NAME, False):
        return
    from torch.utils.cpp_extension import get_default_build_root

    # TORCH_EXTENSIONS_DIR is taken as it is, the default gets a folder per Python and device.
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR") or get_default_build_root())
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "mixfront-build.lock"), contextlib.redirect_stdout(io.StringIO()):
        for orphan in [*root.glob(f"{builder.name}/lock"), *root.glob(f"*/{builder.name}/lock")]:
            orphan.unlink(missing_ok=True)
        builder.load(verbose=False)
