"""One rank's session, without any group: built, advanced, freed, and what is left behind."""

from collections.abc import Callable
from typing import Any

import pytest

from mixfront.exceptions import AbortedError, DivergedError, SpecError
from mixfront.lanes import Command, CommandKind
from mixfront.lanes.agreement import Code
from mixfront.lanes.memory import MemoryUsage, excess, measure
from mixfront.lanes.runner import LocalResult, SessionRunner
from mixfront.lanes.toy_session import ToyScript
from mixfront.training.evaluation import Evaluation
from mixfront.training.request import TrialRequest


def evaluation(fidelity: float, model_url: str | None = None) -> Evaluation:
    return Evaluation(
        step=1, fidelity=fidelity, metrics={}, checkpoint="c", model_url=model_url, seconds={}
    )


class Scripted:
    """Advances by half, unless it is told to raise."""

    def __init__(self, request: TrialRequest, *, device: str) -> None:
        self.device = device
        self.fidelity = 0.0
        self.latest = request.resume_from
        self.closed = False

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        self.fidelity += 0.5
        if check is not None and check(1):
            self.latest = "checkpoint"
            raise AbortedError("stopped")
        return evaluation(self.fidelity)

    def finish(self) -> str:
        return "exported"

    def close(self) -> None:
        self.closed = True


def runner(factory: Any = Scripted, held: list[float] | None = None, **changes: Any) -> Any:
    levels = iter(held or [100.0] * 100)
    options: dict[str, Any] = {
        "device": "cpu",
        "host_margin_mb": 50.0,
        "gpu_margin_mb": 10.0,
        "recycle_after": 100,
        "measure": lambda: MemoryUsage(host_mb=next(levels), gpu_mb=0.0),
    }
    return SessionRunner(factory, **options | changes)


def tell(runner: SessionRunner, kind: CommandKind, abort: bool = False) -> LocalResult:
    payload = ToyScript().request("/nowhere", "1").model_dump(mode="json")
    command = Command(command_id=1, kind=kind, payload=payload)
    return runner.run(command, lambda _step: abort)


SETUP, ADVANCE, TEARDOWN = CommandKind.SETUP, CommandKind.ADVANCE, CommandKind.TEARDOWN


def test_the_last_advance_also_finishes() -> None:
    lane = runner()
    assert tell(lane, SETUP).code is Code.OK
    assert tell(lane, ADVANCE).evaluation == evaluation(0.5)
    assert tell(lane, ADVANCE).evaluation == evaluation(1.0, "exported")
    assert tell(lane, TEARDOWN) == LocalResult(code=Code.OK)


def test_an_abort_tells_the_checkpoint() -> None:
    lane = runner()
    tell(lane, SETUP)
    local = tell(lane, ADVANCE, abort=True)
    assert (local.code, local.checkpoint) == (Code.ABORTED, "checkpoint")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ValueError("no\nsuch thing"), Code.FAILED, "ValueError: no such thing"),
        (SpecError("rank is 0"), Code.FAILED, "rank is 0"),
        (MemoryError(), Code.FAILED, "MemoryError"),
        (DivergedError("the loss is nan"), Code.DIVERGED, "the loss is nan"),
    ],
)
def test_what_a_session_raises_becomes_an_answer(error: Exception, code: Code, text: str) -> None:
    def factory(_request: TrialRequest, *, device: str) -> Any:
        assert device == "cpu"
        raise error

    local = tell(runner(factory), SETUP)
    assert (local.code, local.error) == (code, text)


def test_a_session_left_behind_is_closed_before_the_next() -> None:
    made: list[Scripted] = []

    def factory(request: TrialRequest, *, device: str) -> Scripted:
        made.append(Scripted(request, device=device))
        return made[-1]

    lane = runner(factory)
    tell(lane, SETUP)
    tell(lane, SETUP)
    assert [session.closed for session in made] == [True, False]


def test_processes_are_renewed_after_so_many_trials() -> None:
    lane = runner(recycle_after=2)
    for expected in (None, "2 trials ran in these processes"):
        tell(lane, SETUP)
        assert tell(lane, TEARDOWN).recycle == expected


def test_processes_are_renewed_when_a_trial_left_too_much_behind() -> None:
    lane = runner(held=[100.0, 149.0, 151.0])
    found = []
    for _ in range(3):
        tell(lane, SETUP)
        found.append(tell(lane, TEARDOWN).recycle)
    assert found[:2] == [None, None]
    assert "151 MiB of host memory are still held" in (found[2] or "")


def test_processes_are_renewed_after_a_cuda_error() -> None:
    def factory(_request: TrialRequest, *, device: str) -> Any:
        raise RuntimeError(f"CUDA error: an illegal memory access, not on {device}")

    lane = runner(factory)
    tell(lane, SETUP)
    assert "after a CUDA error" in (tell(lane, TEARDOWN).recycle or "")


def test_device_memory_counts_from_nothing() -> None:
    held = MemoryUsage(host_mb=0.0, gpu_mb=11.0)
    assert "11 MiB of device memory" in (
        excess(held, MemoryUsage(host_mb=0, gpu_mb=0), 1, 10) or ""
    )


def test_this_process_holds_something() -> None:
    assert measure().host_mb > 1
