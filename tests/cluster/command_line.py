"""Runs `mixfront` as a user of the services does."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "mixfront.cli"]
LIMIT_S = 300


@dataclass
class CommandLine:
    """A user's terminal.

    Attributes:
        env: The variables of the shell.
        cwd: The working directory.
        shown: Everything that commands have printed.
    """

    env: Mapping[str, str]
    cwd: Path
    shown: list[str] = field(default_factory=list)

    def run(self, *words: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        done = self.attempt(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *words: str, **changed: str) -> str:
        """Run a command that must fail with one sentence; returns it.

        Args:
            words: Arguments of `mixfront`.
            changed: Other values of environment variables.
        """
        done = self.attempt(*words, **changed)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert done.stderr.startswith("mixfront: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def attempt(self, *words: str, **changed: str) -> "subprocess.CompletedProcess[str]":
        """Run a command."""
        done = subprocess.run(
            [*COMMAND, *words],
            env={**self.env, **changed},
            cwd=self.cwd,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        self.shown += [done.stdout, done.stderr]
        return done

    def json(self, *words: str) -> Any:
        """Run a command that prints JSON."""
        return json.loads(self.run(*words, "--json"))

    def follow(self, search: str, out: Path) -> "subprocess.Popen[bytes]":
        """Follow the log of a search in the background, into a file."""
        with out.open("wb") as file:
            return subprocess.Popen(
                [*COMMAND, "search", "logs", search, "--follow"],
                env=dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )


def wait_until(condition: Callable[[], bool], seconds: float, explain: Callable[[], str]) -> None:
    """Wait until a condition is met.

    Args:
        condition: The condition.
        seconds: How long to wait.
        explain: What to show if it is not met in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(1)
