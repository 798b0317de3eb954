"""One small tree, and sentences that name the remedy."""

import inspect

from mixfront import exceptions
from mixfront.exceptions import MixfrontError, UnknownNameError, UsageError, nearest

ERRORS: list[type[MixfrontError]] = [
    found
    for _, found in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(found, MixfrontError)
]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert exceptions.__doc__ is not None
    assert len(ERRORS) > 10
    assert [found.__name__ for found in ERRORS if found.__name__ not in exceptions.__doc__] == []


def test_wrong_usage_ends_with_2_and_failure_with_1() -> None:
    for found in ERRORS:
        assert found.exit_status == (2 if issubclass(found, UsageError) else 1)


def test_unknown_names() -> None:
    error = UnknownNameError("family", "unimixr", ["unimixer", "rankmixer"])
    assert str(error) == "unknown family 'unimixr': did you mean 'unimixer'?"
    assert nearest("zzz", ["b", "a"]) == "known are b, a"
    assert nearest("zzz", []) == "none is known"
