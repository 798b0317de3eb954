"""Removes credentials from text and data before others can see them."""

import re
from typing import Any

HIDDEN = "***"

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*://)[^/@\s]+@")
_SECRET_WORDS = (
    r"access_?key|api_?key|(?:account|secret|private)_?key|password|passwd|pwd|"
    r"secret|signature|sig|token|credentials?"
)
_QUERY = re.compile(rf"(?P<name>[?&][\w\-]*(?:{_SECRET_WORDS})[\w\-]*=)[^&\s#]+", re.IGNORECASE)
_SECRET_KEY = re.compile(rf"(?:^|[._\-])(?:{_SECRET_WORDS})$", re.IGNORECASE)


def scrub_text(text: str) -> str:
    """Hide the user part and the secret query values of every URI in a text.

    >>> scrub_text("postgresql://me:secret@db/mlflow")
    'postgresql://***@db/mlflow'
    """
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    return _QUERY.sub(rf"\g<name>{HIDDEN}", text)


def describe_error(error: BaseException) -> str:
    """The type of an error and the first line of its message, without credentials."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = scrub_text(lines[0])[:300] if lines else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def scrub(value: Any) -> Any:
    """Scrub every URI in plain data, and hide the values of keys such as `password`."""
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, dict):
        return {key: _scrub_entry(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(inner) for inner in value]
    return value


def _scrub_entry(key: Any, value: Any) -> Any:
    is_secret = isinstance(value, str) and _SECRET_KEY.search(str(key))
    return HIDDEN if is_secret else scrub(value)
