"""Runs one server for the tests, and leaves nothing of it behind, however the tests end.

    python guard.py [--remove FOLDER] [--user ID] [COMMAND ...]

The guard ends the server when its standard input closes, which also happens when the program at
the other end is killed. It adopts the server's orphans (`PR_SET_CHILD_SUBREAPER`), so that even
daemons and processes in sessions of their own, such as the drivers of Ray's jobs, are ended.
"""

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_TERMINATE_S = 15.0  # time for the server to end on its own
_POLL_S = 0.2


def main() -> None:
    """Run the command until standard input closes or the command ends, then clean up."""
    arguments = _arguments()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the pipe counts
    server = None
    if arguments.command:
        server = subprocess.Popen(
            arguments.command,
            stdin=subprocess.DEVNULL,
            preexec_fn=_default_signals,
            user=arguments.user,
            group=arguments.user,
            extra_groups=None if arguments.user is None else [],
        )
    while server is None or server.poll() is None:
        if select.select([sys.stdin], [], [], _POLL_S)[0] and not os.read(0, 1):
            break
    status = _end(server) if server is not None else 0
    if arguments.remove is not None:
        _remove(arguments.remove)
    sys.exit(status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--remove", type=Path, help="folder to remove at the end")
    parser.add_argument("--user", type=int, help="numeric id of the user that runs the command")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args()


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _end(server: "subprocess.Popen[bytes]") -> int:
    """End the server, then every process that it or its children started."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT if _is_postgres(server) else signal.SIGTERM)
        try:
            server.wait(_TERMINATE_S)
        except subprocess.TimeoutExpired:
            server.kill()
    while remaining := psutil.Process().children(recursive=True):
        for process in remaining:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(remaining, timeout=1)
    return server.wait()


def _is_postgres(server: "subprocess.Popen[bytes]") -> bool:
    """Whether the server is PostgreSQL, where SIGTERM waits for clients and SIGINT does not."""
    return Path(str(server.args[0])).name == "postgres"  # type: ignore[index]  # always a list


def _remove(folder: Path) -> None:
    """Remove a folder to which other servers may still be writing as they end."""
    deadline = time.monotonic() + 60
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_POLL_S)


if __name__ == "__main__":
    main()
