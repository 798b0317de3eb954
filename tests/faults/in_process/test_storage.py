"""Storage that is slow and fails, and a disk that is full for a while."""

import itertools
import sqlite3
import time
from contextlib import ExitStack

from sqlalchemy.exc import OperationalError
from tests.faults.in_process.conftest import MakeSearch
from tests.faults.in_process.storage_calls import database_calls, file_calls
from tests.faults.injections import Faults

FAILING = 0.1  # share of the calls
FAILING_STATEMENTS = 0.02  # of the study's; a transaction has several
SLOWEST_S = 0.01
WRITES = 200  # to files, of a search without faults
LONGEST_OUTAGE_S = 60.0


def test_storage_slow_and_failing(
    faults: Faults, make_search: MakeSearch, faultless_s: float
) -> None:
    search = make_search()

    def slow_and_failing(operation: str) -> None:
        time.sleep(faults.random.uniform(0, SLOWEST_S))
        is_statement = operation == "before_cursor_execute"
        if faults.random.random() >= (FAILING_STATEMENTS if is_statement else FAILING):
            return
        if is_statement:
            raise OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))
        raise OSError(5, "Input/output error")

    started = time.monotonic()
    study = (f"{search.folder}/{search.name}.db",)
    with ExitStack() as stack:
        stack.enter_context(file_calls(search.store.url, slow_and_failing))
        stack.enter_context(database_calls("before_cursor_execute", study, slow_and_failing))
        search.run_to_end()
    faults.injected += 1
    faults.cost(time.monotonic() - started + search.waits.skipped_s - faultless_s)
    assert search.faults() == []


def test_disk_full(faults: Faults, make_search: MakeSearch, faultless_s: float) -> None:
    """For a random stretch of writes; a longer one interrupts the search."""
    search = make_search(outage_s=LONGEST_OUTAGE_S)
    writes = itertools.count()
    first = faults.random.randrange(WRITES)
    last = first + faults.random.choice((1, 3, 10, 100))

    def full(operation: str) -> None:
        if operation == "write" and first <= next(writes) < last:
            raise OSError(28, "No space left on device")

    started = time.monotonic()
    with file_calls(search.store.url, full):
        search.run_to_end()
    faults.injected += 1
    faults.cost(time.monotonic() - started + search.waits.skipped_s - faultless_s)
    assert search.faults() == []
