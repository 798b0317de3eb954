"""How many cases each target gets: 300 in all in CI, 10,000 with `make fuzz`."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

SHARES = {  # of all cases
    "spec": 0.16,
    "space": 0.16,
    "schema": 0.14,
    "filter": 0.18,
    "parquet": 0.07,
    "command_line": 0.13,
    "spool": 0.07,
    "records": 0.09,
}
CI, FULL = 300, 10_000
SLICES = "MIXFRONT_FUZZ_SLICES"  # the full profile in several runs: their number
_ALL: dict[str, Any] = {
    "deadline": None,  # invariants.py limits CPU time instead
    "print_blob": True,
    "phases": (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    "suppress_health_check": list(HealthCheck),
}


# Not "ci", which hypothesis itself registers, and loads for all tests where CI is set.
_CI_PROFILE, _FULL_PROFILE = "fuzz-ci", "fuzz-full"


def register_profiles() -> None:
    """Register both profiles; a failure prints how to reproduce it."""
    settings.register_profile(
        _CI_PROFILE, max_examples=CI, derandomize=True, database=None, **_ALL
    )
    settings.register_profile(_FULL_PROFILE, max_examples=FULL, **_ALL)


def fuzzed(target: str) -> Callable[[Any], Any]:
    """The settings of one target: its share of the profile's cases.

    The profile is `fuzz-full` if pytest was called with `--hypothesis-profile=fuzz-full`, else
    `fuzz-ci`.
    """
    is_full = settings.get_current_profile_name() == _FULL_PROFILE
    profile = settings.get_profile(_FULL_PROFILE if is_full else _CI_PROFILE)
    slices = int(os.environ.get(SLICES, "1")) if is_full else 1
    cases = SHARES[target] * profile.max_examples / slices
    return settings(profile, max_examples=round(cases))
