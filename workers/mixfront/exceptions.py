"""Every error that mixfront raises on purpose.

    MixfrontError                   exit status 1
    ├── UsageError                  exit status 2: the caller's words are wrong
    │   ├── SpecError               a search spec, space or override
    │   ├── SchemaError             a schema.yaml, or data that does not fit it
    │   └── UnknownNameError        a family, search, trial, metric or model that does not exist
    ├── DataError                   Parquet that cannot be used as it is
    ├── TrialError                  a trial cannot go on
    │   ├── DivergedError           loss or gradients are not finite
    │   └── AbortedError            stopped from outside, after a checkpoint
    ├── LaneError                   the worker group of a lane
    │   ├── LaneRestarted           it was replaced while a command was in flight
    │   └── LaneTimeout             it did not answer in time
    ├── ClusterError                a Ray cluster that refuses a job or cannot be reached
    ├── TrackingError               MLflow refused or cannot be reached
    ├── PromotionError              the gate before the registry said no
    └── MissingExtraError           a package that only an extra of mixfront brings

A message says what was wrong, the value, and what to do.
"""

import difflib
from collections.abc import Iterable


class MixfrontError(Exception):
    """Base of all. `exit_status` is what the command line ends with."""

    exit_status = 1


class UsageError(MixfrontError, ValueError):
    """Raised when what the caller asked for cannot be meant."""

    exit_status = 2


class SpecError(UsageError):
    """Raised when a search spec, a space or an override cannot be used."""


class SchemaError(UsageError):
    """Raised when a schema is wrong, or does not fit the data it is used on."""


class UnknownNameError(UsageError):
    """Raised when a name is not among the known ones; names the nearest.

    Args:
        kind: What was looked up, e.g. "family".
        name: The name that is not known.
        known: Every name that is.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(f"unknown {kind} {name!r}: {nearest(name, names)}")


class DataError(MixfrontError):
    """Raised when Parquet data is damaged, incomplete or holds values it must not."""


class TrialError(MixfrontError):
    """Raised when a trial cannot go on; the trial ends as FAIL."""


class DivergedError(TrialError):
    """Raised when the loss is not finite."""


class AbortedError(TrialError):
    """Raised inside a trial that was asked to stop; its checkpoint is written."""


class LaneError(MixfrontError):
    """Raised when a lane's worker group cannot do its work."""


class LaneRestarted(LaneError):
    """Raised when a worker group was replaced while a command was in flight."""


class LaneTimeout(LaneError):
    """Raised when a lane did not answer before its deadline."""


class ClusterError(MixfrontError):
    """Raised when a Ray cluster cannot be reached, or refuses a job."""


class TrackingError(MixfrontError):
    """Raised when MLflow refuses a request or cannot be reached."""


class PromotionError(MixfrontError):
    """Raised when a trial may not be promoted; names the reason."""


class MissingExtraError(MixfrontError):
    """Raised when a package is not installed that an extra of mixfront brings.

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
    """The remedy half of a sentence about an unknown name."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are {', '.join(names)}" if names else "none is known"
