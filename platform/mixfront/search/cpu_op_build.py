"""Compiles DeepSpeed's CPU op while the data is encoded."""

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
    """Compile the op in a separate process, if workers on this machine will need it.

    Otherwise the workers would compile it when they start, and nothing would train for a minute.
    """
    if os.environ.get("RAY_ADDRESS") or spec.trial.gpus_per_worker or is_built():
        yield
        return
    console.print(
        "compiling DeepSpeed's CPU op while the data is encoded; this happens once per Python "
        "environment and takes about a minute",
        highlight=False,
        soft_wrap=True,
    )
    with subprocess.Popen(
        [sys.executable, "-c", _BUILD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
            with waiting(console, "compiling DeepSpeed's CPU op"):
                process.wait()
        finally:
            process.terminate()
    if process.returncode:
        console.print(
            "DeepSpeed's CPU op could not be compiled; run `mixfront doctor`",
            highlight=False,
        )
