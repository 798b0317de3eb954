"""DeepSpeed's CPU operation, compiled while the data are encoded."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from mixfront.spec.search_spec import SearchSpec
from mixfront.terminal.waiting import waiting
from mixfront.training.deepspeed.cpu_op import is_built

_BUILD = "from mixfront.training.deepspeed.engine import import_deepspeed; import_deepspeed('cpu')"


@contextmanager
def compiling_cpu_op(spec: SearchSpec, console: Console) -> Iterator[None]:
    """Compile the operation in a process of its own, if workers on this machine will want it.

    Left to the workers, it would be compiled once they are up, a minute in which nothing trains.
    """
    if os.environ.get("RAY_ADDRESS") or spec.trial.gpus_per_worker or is_built():
        yield
        return
    console.print(
        "compiling DeepSpeed's CPU operation while the data are encoded; it happens once per "
        "Python environment and takes about a minute",
        highlight=False,
        soft_wrap=True,
    )
    with subprocess.Popen(
        [sys.executable, "-c", _BUILD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
            with waiting(console, "compiling DeepSpeed's CPU operation"):
                process.wait()
        finally:
            process.terminate()
    if process.returncode:
        console.print(
            "DeepSpeed's CPU operation could not be compiled; see `mixfront doctor`",
            highlight=False,
        )
