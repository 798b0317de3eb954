"""Output during a wait."""

import io
import time

import pytest
from rich.console import Console

from mixfront.terminal.waiting import clock_text, waiting


def test_without_a_terminal_lines_are_printed_until_the_end() -> None:
    console = Console(file=(out := io.StringIO()), width=100)
    deadline = time.monotonic() + 10
    with waiting(console, "encoding the data", every_s=0.01):
        while out.getvalue().count("encoding the data, 0:00 so far") < 2:
            assert time.monotonic() < deadline, out.getvalue()
            time.sleep(0.01)
    lines = out.getvalue()
    time.sleep(0.05)
    assert out.getvalue() == lines


def test_a_short_wait_prints_nothing() -> None:
    console = Console(file=(out := io.StringIO()))
    with waiting(console, "encoding the data"):
        pass
    assert out.getvalue() == ""


def test_a_terminal_gets_a_spinner() -> None:
    console = Console(file=(out := io.StringIO()), force_terminal=True, width=100)
    with waiting(console, "encoding the data"):
        pass
    assert "encoding the data" in out.getvalue()


def test_errors_in_a_wait_are_raised() -> None:
    with pytest.raises(KeyError), waiting(Console(file=io.StringIO()), "x"):
        raise KeyError


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (65.9, "1:05"), (3600, "1:00:00"), (7384, "2:03:04")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
