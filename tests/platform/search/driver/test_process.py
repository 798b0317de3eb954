"""A driver's process is recognized on its own machine, and only there."""

import os
import signal
import subprocess
import sys

from mixfront.search.driver.process import DriverProcess, has_ended

_PRINT_OWNER = (
    "import time; from mixfront.search.driver.process import DriverProcess; "
    "print(DriverProcess.this().owner, flush=True); time.sleep(60)"
)


def test_a_process_names_itself() -> None:
    first, second = DriverProcess.this(), DriverProcess.this()
    assert f" pid {os.getpid()}" in first.holder
    assert "@" in first.holder
    assert first.owner != second.owner
    assert len(first.owner) <= 160
    assert not has_ended(first.owner)


def test_a_killed_process_has_ended_also_before_its_parent_collects_it() -> None:
    command = [sys.executable, "-c", _PRINT_OWNER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        owner = child.stdout.readline().strip()
        assert not has_ended(owner)
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(owner)
    assert has_ended(owner)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    machine, pid, started, key = DriverProcess.this().owner.split(":")
    assert has_ended(f"{machine}:{pid}:{int(started) - 1}:{key}")


def test_processes_of_other_machines_are_unknown() -> None:
    assert not has_ended("boot-4026531836-0:1:100:key")
    assert not has_ended("unknown:1::key")
