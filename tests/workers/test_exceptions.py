"""The tree of errors, and the hints in their messages."""

import inspect

from mixfront import exceptions
from mixfront.exceptions import MixfrontError, UnknownNameError, UsageError, nearest

ERRORS: list[type[MixfrontError]] = [
    error
    for _, error in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(error, MixfrontError)
]


def test_the_docstring_lists_every_error() -> None:
    assert exceptions.__doc__ is not None
    assert len(ERRORS) > 10
    assert [error.__name__ for error in ERRORS if error.__name__ not in exceptions.__doc__] == []


def test_the_exit_status_is_2_for_wrong_usage_and_1_for_failures() -> None:
    for error in ERRORS:
        assert error.exit_status == (2 if issubclass(error, UsageError) else 1)


def test_an_unknown_name_suggests_the_nearest_or_lists_all() -> None:
    error = UnknownNameError("family", "unimixr", ["unimixer", "rankmixer"])
    assert str(error) == "unknown family 'unimixr': did you mean 'unimixer'?"
    assert nearest("zzz", ["b", "a"]) == "choose one of b, a"
    assert nearest("zzz", []) == "there are none"


def test_a_message_is_one_printable_line_whatever_value_it_quotes() -> None:
    error = UsageError("the name 'a\x00b\n\x1b[31mred' is wrong;\u2028 write 'a'")
    assert str(error) == "the name 'a b [31mred' is wrong; write 'a'"


def test_a_message_that_quotes_a_whole_file_keeps_its_beginning_and_its_end() -> None:
    text = str(UsageError(f"{'x' * 10_000} is wrong; write 'a'"))
    assert len(text) < 2000
    assert text.endswith("is wrong; write 'a'")
