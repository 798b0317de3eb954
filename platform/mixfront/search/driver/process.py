"""The process of a driver: how people and other drivers recognize it."""

import getpass
import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class DriverProcess:
    """A driver.

    `owner` is "<machine>:<pid>:<start of the process>:<random>", so that another driver on the
    same machine can look whether the process still exists. `holder` is for people.
    """

    owner: str
    holder: str

    @classmethod
    def this(cls) -> "DriverProcess":
        """This process, as a new owner each time."""
        pid = os.getpid()
        parts = (_machine() or "unknown", str(pid), _started(pid) or "", uuid.uuid4().hex)
        return cls(
            owner=":".join(parts), holder=f"{_user()}@{socket.gethostname()} pid {pid}"[:300]
        )


def has_ended(owner: str) -> bool:
    """Whether an owner is a process of this machine that has ended; False if that is unknown."""
    machine, pid, started, _ = owner.split(":")
    if not started or machine != _machine():
        return False
    return _started(int(pid)) != started


def _machine() -> str | None:
    """This boot of this machine, its namespace of process ids (a container has its own) and user.

    The user, because /proc may hide the processes of others. None where there is no /proc.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return None
    return f"{boot}-{namespace}-{os.getuid()}"


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None if it has ended."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else fields[19]  # a zombie has ended


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
