"""Runs each part in its own process, reads its report meanwhile, and enforces its time limit."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.gpu.parts import PARTS
from tests.gpu.report import PartReport, State

from mixfront.lanes.memory import KEEP_FREED_MEMORY

POLL_S = 2
GRACE_S = 10  # between a part's own deadline and its end by SIGKILL
PREPARE = "prepare"  # in place of a part's name: write the logs that the last part reads


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """What all processes of a check have in common."""

    device: str
    small: bool
    folder: Path  # for scratch files and the parts' reports


@contextmanager
def part_process(
    name: str, seconds: float, options: CheckOptions
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a part in its own process group, which is killed on exit.

    Args:
        name: The part, or `PREPARE`.
        seconds: The part's deadline, from its start.
        options: Passed on to the process.
    """
    command = [sys.executable, "-m", "tests.gpu.check", "--part", name]
    command += ["--device", options.device, "--folder", str(options.folder)]
    command += ["--seconds", f"{seconds:.0f}", *(["--small"] if options.small else [])]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    env["MIXFRONT_CACHE"] = str(options.folder / "cache")
    env["TORCHINDUCTOR_CACHE_DIR"] = str(options.folder / "inductor")
    if not options.device.startswith("cuda"):
        env |= KEEP_FREED_MEMORY
    process = subprocess.Popen(command, env=env, process_group=0)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def watch(name: str, limit: float, options: CheckOptions) -> Iterator[PartReport]:
    """Run a part for at most `limit` seconds; yield its report repeatedly."""
    started = time.monotonic()

    def elapsed() -> float:
        return time.monotonic() - started

    with part_process(name, limit - GRACE_S, options) as process:
        while process.poll() is None and elapsed() < limit:
            yield _read(name, options.folder, elapsed())
            _wait(process, min(POLL_S, max(0.0, limit - elapsed())))
        is_late = process.poll() is None
    report = _read(name, options.folder, elapsed())
    if is_late:
        report.state, report.error = State.STOPPED, f"stopped after {elapsed():.0f} s"
    elif report.state is State.RUNNING:
        report.state = State.FAILED
        report.error = f"its process ended with status {process.returncode}"
    yield report


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def _read(name: str, folder: Path, seconds: float) -> PartReport:
    path = folder / f"{name}.json"
    if path.exists():
        report = PartReport.model_validate_json(path.read_text())
    else:
        report = PartReport(name=name, title=PARTS[name].title)
    report.seconds = seconds
    return report
