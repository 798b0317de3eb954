"""A session that trains no model, and carries out the faults that a test puts into a folder.

The test writes a file named after a fault into `FAULTS` beside the searches; the first rank that
sees the file at its next step takes it.
"""

import math
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import ray
import torch
import torch.distributed as dist

from mixfront.exceptions import DivergedError
from mixfront.lanes.toy_session import ToyScript, ToySession
from mixfront.training.evaluation import Evaluation
from mixfront.training.request import TrialRequest

FAULTS = "faults"  # folder in which a test requests faults
STARTS = "starts.txt"  # every start of a trial on a lane: its id, unix seconds, the node
EVALUATIONS = 8

FaultKind = Literal["memory", "hang in a collective", "hang in Python", "spin in Python", "nan"]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

_SCRIPT = ToyScript(steps=4 * EVALUATIONS, evaluations=EVALUATIONS, step_seconds=0.06)
_HANG_S = 3600.0
_FREE_BYTES = 64 * 2**20  # what a rank whose memory is capped can still allocate


class FaultySession:
    """Follows a ToyScript; implements `mixfront.lanes.session.Session`.

    Args:
        request: Its model is ignored; its folder is a local path.
        device: Unused.
    """

    def __init__(self, request: TrialRequest, *, device: str) -> None:
        folder = Path(request.folder).parents[3]  # <folder>/searches/<name>/trials/<id>
        self._faults = folder / FAULTS
        toy = request.model_copy(update={"family": "toy", "model": _SCRIPT.model_dump()})
        self._toy = ToySession(toy, device=device)
        if dist.get_rank() == 0:
            with (folder / STARTS).open("a") as starts:
                node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
                starts.write(f"{request.trial_id} {time.time()} {node}\n")

    @property
    def latest(self) -> str | None:
        """Path of the last checkpoint."""
        return self._toy.latest

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        """Run to the next evaluation, with the faults that are requested meanwhile.

        Raises:
            AbortedError: If `check` returned True.
            DivergedError: On every rank, if one of them has a NaN.
        """

        def check_after_faults(step: int) -> bool:
            self._carry_out_faults()
            return check is not None and check(step)

        return self._toy.advance(check_after_faults)

    def finish(self) -> str:
        """The URL of the model; nothing is exported."""
        return self._toy.finish()

    def close(self) -> None:
        """Wait for the other ranks."""
        self._toy.close()

    def _carry_out_faults(self) -> None:
        loss = torch.zeros(1)
        for kind in KINDS:
            if not self._take(kind):
                continue
            if kind == "nan":
                loss.fill_(math.nan)
            else:
                _CARRY_OUT[kind]()
        dist.all_reduce(loss)  # as a real session does, so that the ranks agree
        if not math.isfinite(loss.item()):
            raise DivergedError("the loss is nan")

    def _take(self, kind: FaultKind) -> bool:
        """Whether the fault was requested; a request is for one rank."""
        request = self._faults / kind
        try:
            request.rename(f"{request}.taken-{time.time_ns()}")
        except FileNotFoundError:
            return False
        return True


def _run_out_of_memory() -> None:
    """Cap this process' memory, and ask for more."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _FREE_BYTES, hard))
    torch.ones(_FREE_BYTES)  # four bytes each


def _hang_in_a_collective() -> None:
    """Call one collective more than the other ranks."""
    dist.all_reduce(torch.zeros(1))


def _hang_in_python() -> None:
    time.sleep(_HANG_S)


def _spin_in_python() -> None:
    while True:
        pass


_CARRY_OUT: dict[FaultKind, Callable[[], None]] = {
    "memory": _run_out_of_memory,
    "hang in a collective": _hang_in_a_collective,
    "hang in Python": _hang_in_python,
    "spin in Python": _spin_in_python,
}
