"""All errors that mixfront raises on purpose.

    MixfrontError                   exit status 1
    ├── UsageError                  exit status 2: wrong input
    │   ├── SpecError               a search spec, space or override
    │   ├── SchemaError             a schema.yaml, or data that does not fit it
    │   └── UnknownNameError        a family, search, trial, metric or model that does not exist
    ├── DataError                   Parquet data that cannot be used
    ├── TrialError                  a trial cannot continue
    │   ├── DamagedError            a file of the trial is missing or not as it was written
    │   ├── DivergedError           loss, gradients or scores are not finite
    │   └── AbortedError            stopped from outside, after a checkpoint
    ├── LaneError                   a lane or its worker group cannot be used
    │   ├── LaneRestarted           the group was replaced while a command was in flight
    │   └── LaneTimeout             the lane did not respond in time
    ├── ClusterError                a Ray cluster that refuses a job or cannot be reached
    ├── StorageError                a search's storage fails, or names a file outside its folder
    ├── TrackingError               MLflow refuses a request or cannot be reached
    ├── PromotionError              the promotion gate refuses a trial
    ├── DriverError                 another driver runs the search
    └── MissingExtraError           a package from an extra of mixfront is not installed

A message says what was wrong, the value, and what to do.
"""

import difflib
from collections.abc import Iterable

_MAX_LENGTH = 1500  # a value in a message may be a whole file


class MixfrontError(Exception):
    """Base of all errors. `exit_status` is the exit status of the command line."""

    exit_status = 1

    def __str__(self) -> str:
        """The message in one printable line; values in it may have line breaks or be very long."""
        text = super().__str__()
        if not text.isprintable():
            text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        half = _MAX_LENGTH // 2  # the end says what to do
        return text if len(text) <= _MAX_LENGTH else f"{text[:half]} ... {text[-half:]}"


class UsageError(MixfrontError, ValueError):
    """Raised when the user's input is wrong."""

    exit_status = 2


class SpecError(UsageError):
    """Raised when a search spec, a space or an override is invalid."""


class SchemaError(UsageError):
    """Raised when a schema is invalid, or does not fit the data."""


class UnknownNameError(UsageError):
    """Raised when a name does not exist; suggests the nearest one.

    Args:
        kind: What was looked up, e.g. "family".
        name: The unknown name.
        known: All existing names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(f"unknown {kind} {name!r}: {nearest(name, names)}")


class DataError(MixfrontError):
    """Raised when Parquet data is damaged, incomplete or has invalid values."""


class TrialError(MixfrontError):
    """Raised when a trial cannot continue; it ends as FAILED."""


class DamagedError(TrialError):
    """Raised when a file of a checkpoint is missing, incomplete, or not as it was written."""


class DivergedError(TrialError):
    """Raised when the loss, the gradients or the scores are not finite."""


class AbortedError(TrialError):
    """Raised inside a trial that was asked to stop, after its checkpoint is written."""


class LaneError(MixfrontError):
    """Raised when a lane or its worker group cannot be used."""


class LaneRestarted(LaneError):
    """Raised when a worker group was replaced while a command was in flight."""


class LaneTimeout(LaneError):
    """Raised when a lane did not respond before its deadline."""


class ClusterError(MixfrontError):
    """Raised when a Ray cluster cannot be reached, or refuses a job."""


class StorageError(MixfrontError):
    """Raised when a search's storage fails, or names a file outside the search's folder."""


class TrackingError(MixfrontError):
    """Raised when MLflow refuses a request or cannot be reached."""


class PromotionError(MixfrontError):
    """Raised when a trial may not be promoted; gives the reason."""


class DriverError(MixfrontError):
    """Raised when another driver runs the search; says who, since when, and what to do."""


class MissingExtraError(MixfrontError):
    """Raised when a package from an extra of mixfront is not installed.

    Args:
        what: What needs it, e.g. "`mixfront search run`".
        extra: The extra, e.g. "all".
        module: The module that cannot be imported.
    """

    def __init__(self, what: str, extra: str, module: str) -> None:
        self.extra = extra
        self.remedy = f"pip install 'mixfront[{extra}]'"
        super().__init__(
            f"{what} needs mixfront[{extra}]: {self.remedy} "
            f"(the module {module!r} is not installed)"
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint after an unknown name: the closest match, or all known names."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"choose one of {', '.join(names)}" if names else "there are none"
