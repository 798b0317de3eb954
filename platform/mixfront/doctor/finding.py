"""The outcome of a check: its status, what it saw, and the remedy."""

from dataclasses import dataclass
from enum import StrEnum

from mixfront.records.scrub import scrub_text


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"  # works, but not as well as it could
    FAILED = "failed"
    SKIPPED = "skipped"  # does not apply here, or needs a package that is not installed


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; credentials in its text are masked."""

    status: Status
    seen: str
    remedy: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", scrub_text(self.seen))
        object.__setattr__(self, "remedy", scrub_text(self.remedy))


def one_line(problem: BaseException) -> str:
    """The message of an error, on one line of at most 300 characters."""
    return " ".join(str(problem).split())[:300] or type(problem).__name__


def ok(seen: str) -> Finding:
    """A finding that something works."""
    return Finding(Status.OK, seen)


def warning(seen: str, remedy: str) -> Finding:
    """A finding that something works, but not as well as it could."""
    return Finding(Status.WARNING, seen, remedy)


def failed(seen: str, remedy: str) -> Finding:
    """A finding that something does not work."""
    return Finding(Status.FAILED, seen, remedy)


def skipped(seen: str, remedy: str = "") -> Finding:
    """A finding that there was nothing to check."""
    return Finding(Status.SKIPPED, seen, remedy)
