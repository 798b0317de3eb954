"""Nothing of a service is left after the tests were killed."""

import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from tests.cluster.services.service import GUARD

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

# Starts a guard around a shell that leaves an orphan in a session of its own, and waits.
PROGRAM = """
import subprocess, sys, time
guard, folder, mark = sys.argv[1:]
command = f"setsid sh -c 'sleep 600; : {mark}' & sleep 600"
subprocess.Popen(
    [sys.executable, guard, "--remove", folder, "sh", "-c", command],
    stdin=subprocess.PIPE,
    start_new_session=True,
)
time.sleep(600)
"""


def test_nothing_is_left_after_a_kill(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    folder = tmp_path / "service"
    folder.mkdir()
    arguments = [sys.executable, "-c", PROGRAM, str(GUARD), str(folder), mark]
    with subprocess.Popen(arguments) as program:
        wait_until_orphans(mark, are_there=True)
        program.kill()
    wait_until_orphans(mark, are_there=False)
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not folder.exists()


def wait_until_orphans(mark: str, *, are_there: bool) -> None:
    """Wait until the orphan runs, or until no process of the guard is left."""
    deadline = time.monotonic() + 30
    while bool(orphans(mark)) != are_there:
        assert time.monotonic() < deadline, orphans(mark)
        time.sleep(0.1)


def orphans(mark: str) -> list[list[str]]:
    """The command lines of the shells that the guard's command started."""
    lines = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if line[:1] == ["sh"] and mark in " ".join(line)]
