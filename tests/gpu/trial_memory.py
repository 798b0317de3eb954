"""Memory that libraries hold on a GPU, and memory that is still held after each trial."""

import statistics
from collections.abc import Callable

import torch
from tests.gpu.machine import Machine
from tests.gpu.report import Recorder, Table

from mixfront.lanes.config import LaneSettings
from mixfront.lanes.memory import measure
from mixfront.lanes.messages import Command, CommandKind
from mixfront.lanes.runner import SessionRunner
from mixfront.lanes.session import make_session, warm_up
from mixfront.training import DataRequest, TrialRequest

MB = 2**20
TRIALS: list[tuple[str, int, str]] = [  # family, ZeRO stage, precision; each is trained twice
    ("unimixer", 0, "bf16"),
    ("rankmixer", 3, "fp32"),
    ("kunlun", 2, "bf16"),
    ("unimixer_lite", 3, "bf16"),
    ("wukong", 1, "fp32"),
]
MAX_LEAK_MB = 1.0  # device memory per trial; a lane's margin of 64 MiB would last for 64 trials


def library_memory(machine: Machine, recorder: Recorder) -> None:
    """Device memory that remains in use after a process's first matrix products."""
    if not machine.is_cuda:
        return
    table = recorder.table(
        "Device memory held by libraries, MiB", "after", "allocated", "increase in use"
    )
    before = _used_mb()
    for name, operation in _first_operations(machine.device):
        operation()
        torch.cuda.synchronize()
        recorder.row(table, name, measure().gpu_mb, _used_mb() - before)


def _used_mb() -> float:
    """Memory in use on the whole device, by all processes."""
    free, total = torch.cuda.mem_get_info()
    return (total - free) / MB


def _first_operations(device: str) -> list[tuple[str, Callable[[], object]]]:
    """Operations that free their matrices when they return."""

    def square(dtype: torch.dtype) -> torch.Tensor:
        return torch.ones(1024, 1024, device=device, dtype=dtype)

    def batched() -> torch.Tensor:
        batch = square(torch.bfloat16).view(4, 256, 1024)
        return batch @ batch.mT

    def with_bias() -> torch.Tensor:
        one = square(torch.bfloat16)
        return torch.addmm(one[0], one, one)

    return [
        ("copy", lambda: square(torch.float32).clone()),
        ("fp32 product", lambda: square(torch.float32) @ square(torch.float32)),
        ("bf16 product", lambda: square(torch.bfloat16) @ square(torch.bfloat16)),
        ("batched bf16 product", batched),
        ("bf16 addmm", with_bias),
        ("freeing cuBLAS's workspaces", torch._C._cuda_clearCublasWorkspaces),
    ]


def memory_over_trials(data: DataRequest, machine: Machine, recorder: Recorder) -> None:
    """Run ten trials as a lane runs them, and measure memory before the first and after each."""
    settings = LaneSettings()
    warm_up(machine.device)
    before = measure()
    recorder.note(
        f"Before the first of these trials the process holds {before.gpu_mb:.1f} MiB of device "
        f"memory and {before.host_mb:.0f} MiB of host memory. A lane restarts its workers when "
        f"they hold {settings.gpu_margin_mb:.0f} or {settings.memory_margin_mb:.0f} MiB more "
        "than after their first trial."
    )
    table = recorder.table(
        "Memory held after each trial, MiB",
        *("family", "ZeRO stage", "precision", "device", "device, peak", "host"),
        "reason for the lane to restart its workers",
    )
    lane = SessionRunner(
        make_session,
        device=machine.device,
        host_margin_mb=settings.memory_margin_mb,
        gpu_margin_mb=settings.gpu_margin_mb,
        recycle_after=1000,
    )
    for index, trial in enumerate(2 * machine.pick(TRIALS, TRIALS[:1])):
        _run_trial(lane, _request(data, machine, index, *trial), recorder, table)
    _check_growth(table, recorder)


def _run_trial(
    lane: SessionRunner, request: TrialRequest, recorder: Recorder, table: Table
) -> None:
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    payload, reason = request.model_dump(mode="json"), None
    for kind in (CommandKind.SETUP, CommandKind.ADVANCE, CommandKind.TEARDOWN):
        outcome = lane.run(Command(command_id=0, kind=kind, payload=payload), lambda _step: False)
        if outcome.error:
            raise RuntimeError(f"{kind} of {request.family} failed: {outcome.error}")
        reason = outcome.recycle
    held = measure()
    peak = torch.cuda.max_memory_allocated() / MB if on_gpu else 0.0
    cells = (request.family, request.zero_stage, request.training.precision)
    recorder.row(table, *cells, held.gpu_mb, peak, held.host_mb, reason or "none")


def _check_growth(table: Table, recorder: Recorder) -> None:
    """Compare each trial's second run with its first, when libraries had not yet settled."""
    half = len(table.rows) // 2
    for name in ("device", "host"):
        held = [float(row[table.columns.index(name)] or 0) for row in table.rows]
        growth = [second - first for first, second in zip(held, held[half:], strict=False)]
        leak = statistics.median(growth) / half
        if name == "device":
            recorder.require(
                f"a trial leaks less than {MAX_LEAK_MB:g} MiB of device memory",
                leak < MAX_LEAK_MB,
                f"{leak:.3f} MiB",
            )
        else:
            recorder.note(f"Host memory grows by {leak:.2f} MiB per trial.")


def _request(
    data: DataRequest, machine: Machine, index: int, family: str, stage: int, precision: str
) -> TrialRequest:
    small = {"num_tokens": 4, "token_dim": 8, "embedding_dim": 4, "num_blocks": 1}
    return TrialRequest.model_validate(
        {
            "search_id": "gpu",
            "trial_id": str(index),
            "family": family,
            "model": machine.pick({}, small),
            "data": data,
            "training": {"batch_size": 1024, "evaluate_every": 1.0, "precision": precision},
            "zero_stage": stage,
            "latency_seconds": 0.05,
            "folder": str(machine.folder / "trials" / f"memory-{index}"),
        }
    )
