"""Commands on a single rank: a session is built, advanced and freed, and its memory checked."""

from collections.abc import Callable
from typing import Any

import pytest
import torch.distributed as dist

from mixfront.exceptions import AbortedError, DivergedError, SpecError
from mixfront.lanes import Command, CommandKind
from mixfront.lanes.agreement import StatusCode
from mixfront.lanes.memory import MemoryUsage, excess, measure
from mixfront.lanes.runner import LocalResult, SessionRunner
from mixfront.lanes.toy_session import ToyScript
from mixfront.training.evaluation import Evaluation
from mixfront.training.request import TrialRequest


def evaluation(fidelity: float, model_url: str | None = None) -> Evaluation:
    return Evaluation(
        step=1, fidelity=fidelity, metrics={}, checkpoint="c", model_url=model_url, seconds={}
    )


class HalfStepSession:
    """Advances by half of the trial, or stops if `check` asks for it."""

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


def runner(
    factory: Any = HalfStepSession, host_mb: list[float] | None = None, **changes: Any
) -> Any:
    levels = iter(host_mb or [100.0] * 100)
    options: dict[str, Any] = {
        "device": "cpu",
        "host_margin_mb": 50.0,
        "gpu_margin_mb": 10.0,
        "recycle_after": 100,
        "measure": lambda: MemoryUsage(host_mb=next(levels), gpu_mb=0.0),
    }
    return SessionRunner(factory, **options | changes)


def execute(runner: SessionRunner, kind: CommandKind, abort: bool = False) -> LocalResult:
    payload = ToyScript().request("/nowhere", "1").model_dump(mode="json")
    command = Command(command_id=1, kind=kind, payload=payload)
    return runner.run(command, lambda _step: abort)


SETUP, ADVANCE, TEARDOWN = CommandKind.SETUP, CommandKind.ADVANCE, CommandKind.TEARDOWN


def test_the_last_advance_also_exports_the_model() -> None:
    lane = runner()
    assert execute(lane, SETUP).code is StatusCode.OK
    assert execute(lane, ADVANCE).evaluation == evaluation(0.5)
    assert execute(lane, ADVANCE).evaluation == evaluation(1.0, "exported")
    assert execute(lane, TEARDOWN) == LocalResult(code=StatusCode.OK)


def test_an_abort_reports_the_checkpoint() -> None:
    lane = runner()
    execute(lane, SETUP)
    local = execute(lane, ADVANCE, abort=True)
    assert (local.code, local.checkpoint) == (StatusCode.ABORTED, "checkpoint")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ValueError("no\nsuch thing"), StatusCode.FAILED, "ValueError: no such thing"),
        (SpecError("rank is 0"), StatusCode.FAILED, "rank is 0"),
        (MemoryError(), StatusCode.FAILED, "MemoryError"),
        (DivergedError("the loss is nan"), StatusCode.DIVERGED, "the loss is nan"),
        (
            RuntimeError("[/build/gloo/transport/tcp/pair.cc:1] Timed out waiting 6000ms"),
            StatusCode.COLLECTIVE_FAILED,
            "RuntimeError: [/build/gloo/transport/tcp/pair.cc:1] Timed out waiting 6000ms",
        ),
        (
            dist.DistBackendError("NCCL error: remote process exited"),
            StatusCode.COLLECTIVE_FAILED,
            "DistBackendError: NCCL error: remote process exited",
        ),
    ],
)
def test_an_error_of_a_session_becomes_a_result(
    error: Exception, code: StatusCode, text: str
) -> None:
    def factory(_request: TrialRequest, *, device: str) -> Any:
        assert device == "cpu"
        raise error

    local = execute(runner(factory), SETUP)
    assert (local.code, local.error) == (code, text)


def test_an_open_session_is_closed_before_the_next() -> None:
    sessions: list[HalfStepSession] = []

    def factory(request: TrialRequest, *, device: str) -> HalfStepSession:
        sessions.append(HalfStepSession(request, device=device))
        return sessions[-1]

    lane = runner(factory)
    execute(lane, SETUP)
    execute(lane, SETUP)
    assert [session.closed for session in sessions] == [True, False]


def test_processes_are_recycled_after_the_given_number_of_trials() -> None:
    lane = runner(recycle_after=2)
    for expected in (None, "2 trials ran in these processes"):
        execute(lane, SETUP)
        assert execute(lane, TEARDOWN).recycle == expected


def test_processes_are_recycled_if_a_trial_leaks_memory() -> None:
    lane = runner(host_mb=[100.0, 149.0, 151.0])
    reasons = []
    for _ in range(3):
        execute(lane, SETUP)
        reasons.append(execute(lane, TEARDOWN).recycle)
    assert reasons[:2] == [None, None]
    assert "151 MiB of host memory are still held" in (reasons[2] or "")


def test_device_memory_that_the_first_trial_leaves_is_the_baseline() -> None:
    """Workspaces of cuBLAS and communicators stay allocated as long as the process lives."""
    levels = iter([80.0, 90.0, 91.0])
    lane = runner(measure=lambda: MemoryUsage(host_mb=100.0, gpu_mb=next(levels)))
    reasons = []
    for _ in range(3):
        execute(lane, SETUP)
        reasons.append(execute(lane, TEARDOWN).recycle)
    assert reasons[:2] == [None, None]
    assert "91 MiB of device memory are still held" in (reasons[2] or "")


def test_processes_are_recycled_after_a_cuda_error() -> None:
    def factory(_request: TrialRequest, *, device: str) -> Any:
        raise RuntimeError(f"CUDA error: an illegal memory access, not on {device}")

    lane = runner(factory)
    execute(lane, SETUP)
    assert "after a CUDA error" in (execute(lane, TEARDOWN).recycle or "")


def test_excess_device_memory_is_reported() -> None:
    usage = MemoryUsage(host_mb=0.0, gpu_mb=11.0)
    assert "11 MiB of device memory" in (
        excess(usage, MemoryUsage(host_mb=0, gpu_mb=0), 1, 10) or ""
    )


def test_memory_of_this_process_is_measured() -> None:
    assert measure().host_mb > 1
