"""What a check finds: a status, what was seen, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

from mixfront.records.scrub import scrub_text


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"  # works, but slower or for less than it could
    FAILED = "failed"
    SKIPPED = "skipped"  # does not concern this machine, or needs what is not installed


@dataclass(frozen=True)
class Finding:
    """The outcome of one check. Credentials in its texts are replaced when it is made."""

    status: Status
    seen: str
    remedy: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", scrub_text(self.seen))
        object.__setattr__(self, "remedy", scrub_text(self.remedy))


def one_line(problem: BaseException) -> str:
    """What an error says, on one line of bounded length."""
    return " ".join(str(problem).split())[:300] or type(problem).__name__


def ok(seen: str) -> Finding:
    """It works."""
    return Finding(Status.OK, seen)


def warning(seen: str, remedy: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding(Status.WARNING, seen, remedy)


def failed(seen: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Status.FAILED, seen, remedy)


def skipped(seen: str, remedy: str = "") -> Finding:
    """There was nothing to look at."""
    return Finding(Status.SKIPPED, seen, remedy)
