"""An error as one line of a reply or a status."""

from mixfront.exceptions import MixfrontError


def describe(error: BaseException) -> str:
    """The error in one line; with its type, unless it is one of mixfront's own."""
    text = " ".join(str(error).split())[:500]
    if isinstance(error, MixfrontError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
