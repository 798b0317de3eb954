"""Runs each check in its own process, with a timeout.

Unlike a thread, a process can be killed: a database driver may retry for minutes, and a broken
CUDA driver may hang or crash. Processes also isolate the imports of each check.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from mixfront.doctor.checks import CHECKS, Check
from mixfront.doctor.finding import Finding, Status, failed, one_line, skipped
from mixfront.exceptions import MissingExtraError
from mixfront.installation.extras import missing_extra

COMMAND = (sys.executable, "-m", "mixfront.doctor")  # plus the name of a check
AT_ONCE = 2  # checks; most of their time is spent in imports, which use a full core


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of one check, as `mixfront doctor` prints it."""

    name: str
    status: Status
    seen: str
    remedy: str


def examine(timeout: float, checks: Sequence[Check] = CHECKS) -> Iterator[CheckResult]:
    """Yield the results in the order of the checks, each as soon as it is available.

    Args:
        timeout: Maximum seconds per check.
        checks: The checks to run.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for check, finding in zip(
            checks, pool.map(lambda check: _in_process(check, timeout), checks), strict=True
        ):
            yield CheckResult(name=check.name, **asdict(finding))


def run_check(check: Check) -> Finding:
    """Run a check in this process; an exception becomes a finding."""
    try:
        return check.run()
    except Exception as problem:
        missing = problem if isinstance(problem, MissingExtraError) else None
        missing = missing or missing_extra(f"the check {check.name!r}", problem)
        if missing is None:
            return failed(
                f"the check itself failed: {type(problem).__name__}: {one_line(problem)}",
                "please report this bug",
            )
        if missing.extra == "all":
            return skipped(f"needs mixfront[{missing.extra}]", missing.remedy)
        return failed(str(missing), missing.remedy)  # the environment needs this extra


def _in_process(check: Check, timeout: float) -> Finding:
    with subprocess.Popen(
        [*COMMAND, check.name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that its child processes are killed too
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return check.timed_out(timeout)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return _read(check, out, err, process.returncode)


def _read(check: Check, out: str, err: str, status: int) -> Finding:
    """Parse the last line as the finding; libraries may print other lines before it."""
    try:
        fields = json.loads(out.splitlines()[-1])
        return Finding(Status(fields["status"]), fields["seen"], fields["remedy"])
    except (IndexError, ValueError, KeyError):
        last = err.strip().splitlines()[-1:]
        how = (
            f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        )
        return failed(
            f"the process of the check {check.name!r} crashed: {last[0] if last else how}",
            "reinstall the library that crashed, or report this bug",
        )
