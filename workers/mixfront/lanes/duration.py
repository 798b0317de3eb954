"""Durations in a spec, such as "1h30m"."""

import re
from typing import Any

from mixfront.exceptions import SpecError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def parse_duration(data: Any) -> Any:
    """Parse "2h", "90m", "1h30m", "45s" or a bare number of seconds into seconds.

    Raises:
        SpecError: If the text is not a duration.
    """
    if not isinstance(data, str):
        return data
    parts = _DURATION.findall(data)
    if not parts or _DURATION.sub("", data).strip():
        raise SpecError(f"{data!r} is not a valid duration; write '2h', '90m' or '1h30m'")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
