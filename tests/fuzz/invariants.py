"""What must hold for every fuzzed input, checked around one call.

* It ends within 5 s of CPU time.
* It succeeds, or it fails with a MixfrontError whose message is one line, or with typer's usage.
* Nothing is written, removed or started outside the folders that the call may write to.
* Everything else in the sandbox, the data above all, is as it was.
"""

import hashlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from mixfront.cli.app import app
from mixfront.exceptions import MixfrontError

CPU_LIMIT_S = 5.0  # CPU time, so that a busy machine does not make a case fail
MAX_SENTENCE = 2000  # characters of an error; longer means that a whole input was quoted
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}
_CHANGES = {
    *("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "sqlite3.connect"),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

SECRET = "the-secret-outside-the-search"

cases: Counter[str] = Counter()  # cases run, by target


class HangError(BaseException):
    """A case that takes too long; no `except Exception` swallows it."""


@dataclass(kw_only=True)
class Sandbox:
    """The folders of one case.

    Attributes:
        root: Everything below it is compared before and after a call.
        data: Parquet files and their schema, shared by all cases.
        work: The working directory.
        storage: Where searches are kept.
        outside: A folder with a file that no call may read into its output or change.
    """

    root: Path
    data: Path
    work: Path = field(init=False)
    storage: Path = field(init=False)
    outside: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("work", "storage", "outside", "scratch"):
            setattr(self, name, self.root / name)
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.outside / "secret.txt").write_text(SECRET)

    def write(self, name: str, content: bytes | str) -> Path:
        """Write an input below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a call ended."""

    status: int
    output: str = ""
    error: MixfrontError | None = None
    value: Any = None


def invoke(box: Sandbox, words: Sequence[str], writes: Sequence[Path] = ()) -> Outcome:
    """Run one command of `mixfront` and check what must hold.

    Args:
        box: The sandbox; the command runs in its `work` folder.
        words: What follows `mixfront`.
        writes: Folders or files that the command may write to.
    """
    with _checked(box, writes):
        result = CliRunner().invoke(app, list(words))
    assert SECRET not in result.output, "the output has a file from outside the search's folder"
    if isinstance(result.exception, MixfrontError):
        check_sentence(result.exception)
        return Outcome(
            status=result.exception.exit_status, output=result.output, error=result.exception
        )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2), f"exit status {result.exit_code}"
    assert "Traceback" not in result.output
    return Outcome(status=result.exit_code, output=result.output)


def call(box: Sandbox, function: Callable[[], Any], writes: Sequence[Path] = ()) -> Outcome:
    """Call a function and check what must hold; any error but a MixfrontError is a fault."""
    try:
        with _checked(box, writes):
            return Outcome(status=0, value=function())
    except MixfrontError as error:
        check_sentence(error)
        return Outcome(status=error.exit_status, error=error)


def check_sentence(error: MixfrontError) -> None:
    """Check that an error reads as one sentence."""
    text = str(error)
    assert text.strip(), "an error without a message"
    assert text.isprintable(), f"an error of several lines, or with control codes: {text!r}"
    assert len(text) <= MAX_SENTENCE, f"an error of {len(text)} characters: {text[:200]!r}"
    assert "Traceback" not in text


@contextmanager
def _checked(box: Sandbox, writes: Sequence[Path]) -> Iterator[None]:
    allowed = [box.root / "scratch", *writes]
    before = _snapshot(box, allowed)
    violations: list[str] = []
    folder, temp = Path.cwd(), tempfile.tempdir
    os.chdir(box.work)
    tempfile.tempdir = str(box.root / "scratch")
    _watches.append(_Watch(tuple(str(path) for path in allowed), violations))
    previous = {name: os.environ.get(name) for name in _environment(box)}
    _set_environment(_environment(box))
    try:
        with _cpu_limit():
            yield
    finally:
        _watches.clear()
        _set_environment(previous)
        tempfile.tempdir = temp
        os.chdir(folder)
    assert violations == [], f"written or started outside: {violations}"
    assert _snapshot(box, allowed) == before, "a file changed that must not change"


def _environment(box: Sandbox) -> dict[str, str | None]:
    unset = dict.fromkeys(
        (
            *("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "MLFLOW_TRACKING_URI", "OPTUNA_STORAGE"),
            "MIXFRONT_DEBUG",
        )
    )
    own = {"MIXFRONT_STORAGE": str(box.storage), "MIXFRONT_CACHE": str(box.root / "scratch")}
    return {**unset, **own, "COLUMNS": "200"}


def _set_environment(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _snapshot(box: Sandbox, allowed: Sequence[Path]) -> dict[str, str]:
    files: dict[str, str] = {}
    for top in (box.root, box.data):
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if Path(folder, name) not in allowed]
            for name in names:
                path = Path(folder, name)
                if path not in allowed:
                    files[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


@contextmanager
def _cpu_limit() -> Iterator[None]:
    def stop(_signal: int, _frame: Any) -> None:
        raise HangError(f"more than {CPU_LIMIT_S:g} s of CPU time")

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def _is_relative_to_folder(arguments: tuple[Any, ...]) -> bool:
    """Whether a path is relative to an open folder, as in `rmtree`; snapshots see such changes."""
    path, folder = arguments[0], arguments[-1]
    is_relative = isinstance(path, str) and not os.path.isabs(path)  # noqa: PTH117
    return is_relative and isinstance(folder, int) and folder >= 0


@dataclass(frozen=True)
class _Watch:
    """Collects writes outside the allowed places, and started processes, by Python's audit hook.

    The snapshots see changes inside the sandbox, also by C++ code; this sees all of the machine.
    """

    allowed: tuple[str, ...]
    violations: list[str]

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS:
            self.violations.append(f"{event} {arguments[0]!r}")
        elif event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING:
                self._check(event, path)
        elif event in _CHANGES and not _is_relative_to_folder(arguments):
            self._check(event, arguments[0])

    def _check(self, event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a file descriptor
        name = os.path.realpath(os.fsdecode(path))
        if name.startswith(("/dev/", "/proc/")) or os.fsdecode(path) in ("", ":memory:"):
            return
        if not any(name == place or name.startswith(f"{place}/") for place in self.allowed):
            self.violations.append(f"{event} {name}")


_watches: list[_Watch] = []  # the current one, if any


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watches and threading.current_thread() is threading.main_thread():
        _watches[0](event, arguments)


sys.addaudithook(_audit)


@contextmanager
def sandbox(base: Path, data: Path, target: str) -> Iterator[Sandbox]:
    """A fresh sandbox for one case, removed afterwards."""
    cases[target] += 1
    root = base / f"{target}-{cases[target]}"
    try:
        yield Sandbox(root=root.resolve(), data=data.resolve())
    finally:
        shutil.rmtree(root, ignore_errors=True)
