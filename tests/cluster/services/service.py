"""A server that the cluster tests start, wait for and end."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

GUARD = Path(__file__).with_name("guard.py")
START_S = 180.0  # MLflow and Ray import a lot, and the machine may be loaded
END_S = 60.0
HOST = "127.0.0.1"
BIN = Path(sys.executable).parent
# Variables of the user's own cluster and servers, which the services must not see.
_FOREIGN = ("AWS_", "MLFLOW_", "RAY_", "OPTUNA_", "MIXFRONT_", "PG")


class Service:
    """One server in a process tree of its own; it ends with this program, however that ends.

    Args:
        name: Its name, for messages and for its log.
        folder: Where its log is written.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        command: Sequence[str],
        is_ready: Callable[[], bool],
        *,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> None:
        """Start the server, and wait until it is ready.

        Args:
            command: The server's command line; it stays in the foreground.
            is_ready: Whether the server answers.
            env: Additional environment variables.
            user: Numeric id of the user that runs it; None = the user of the tests.

        Raises:
            RuntimeError: If it ends or is not ready in time; with the end of its log.
        """
        # The guard itself keeps the tests' user, because others may not read its interpreter.
        as_user = () if user is None else ("--user", str(user))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(GUARD), *as_user, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=clean_environment() | dict(env or {}),
                cwd=self.log.parent,
                start_new_session=True,
            )
        self._wait_until(is_ready)

    def stop(self) -> None:
        """End the server and everything that it started."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(END_S)
        self._process = None

    def processes(self) -> list[psutil.Process]:
        """The processes of the server, without its guard."""
        if self._process is None:
            return []
        return psutil.Process(self._process.pid).children(recursive=True)

    def _wait_until(self, is_ready: Callable[[], bool]) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while not is_ready():
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready after {START_S:g} s:\n{self.tail()}")
            time.sleep(0.2)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]


def clean_environment() -> dict[str, str]:
    """This program's environment without settings for other clusters and servers."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    return variables | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def accepts(port: int, host: str = HOST) -> bool:
    """Whether something listens on a port."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(number: int) -> list[int]:
    """Ports that nothing uses, all different."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for free in sockets:
            free.bind((HOST, 0))
        return [int(free.getsockname()[1]) for free in sockets]
    finally:
        for free in sockets:
            free.close()
