"""The lease of a search: its driver takes it before it changes anything, and keeps renewing it.

A driver that could not renew for half the time to live stops writing. Another driver takes over
after the time to live plus the longest write, so that both never write at the same time. Clocks
may be set while a search runs, so a heartbeat that changes is a sign of life whatever its age.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from mixfront.exceptions import DriverError
from mixfront.records.fence import Fence
from mixfront.search.driver.lease_table import LeaseRow, LeaseTable
from mixfront.search.driver.process import DriverProcess, has_ended


def awake_seconds() -> float:
    """Monotonic seconds that include the time during which the machine was suspended."""
    boottime: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


@dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """Times of a lease, in seconds."""

    renew_every: float = 5.0
    retry_every: float = 1.0  # while the database fails
    to_live: float = 30.0
    longest_write: float = 60.0  # one request to MLflow: 30 s, tried twice

    @property
    def stop_after(self) -> float:
        """A driver that could not renew for so long stops writing."""
        return self.to_live / 2

    @property
    def take_over_after(self) -> float:
        """A driver without a heartbeat for so long is replaced."""
        return self.to_live + self.longest_write


class DriverLease:
    """The lease of one driver; use it as a context manager around everything that writes.

    Args:
        table: The leases.
        search_id: The search.
        name: The search's name, for messages.
        times: Times of the lease.
        clock: Monotonic seconds.
        wait: Sleeps while a driver without a heartbeat may still be writing.
    """

    def __init__(
        self,
        table: LeaseTable,
        search_id: str,
        name: str,
        *,
        times: LeaseTimes | None = None,
        clock: Callable[[], float] = awake_seconds,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.epoch = 0  # once taken, 1 or more
        self._table = table
        self._search_id = search_id
        self._name = name
        self._times = times or LeaseTimes()
        self._clock = clock
        self._wait = wait
        self._process = DriverProcess.this()
        self._renewed = 0.0
        self._last_heartbeat: float | None = None  # of the last driver, when first looked at
        self._silent_until = 0.0  # if it is still the same then, that driver is gone
        self._lost: str | None = None
        self._error = ""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mixfront-lease", daemon=True)

    def __enter__(self) -> "DriverLease":
        """Take the lease and start to renew it.

        Raises:
            DriverError: If another driver holds it.
        """
        self.take()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lease back, unless it is lost; without this, the next driver has to wait."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(self._times.renew_every)
        if self.lost_because() is None:
            with self._lock:
                self._lost = "this driver has ended"
            with suppress(Exception):  # every database driver has its own
                self._table.release(self._search_id, self.epoch, self._process.owner)

    @property
    def fence(self) -> Fence:
        """The right to write, for records and tracking."""
        return Fence(self.epoch, self.lost_because)

    def take(self) -> None:
        """Take the lease; wait first if its last driver has no heartbeat but may still write.

        Raises:
            DriverError: If another driver holds it.
        """
        self._table.create()
        epoch = self._try()
        while epoch is None:
            self._wait(1.0)
            epoch = self._try()
        self.epoch = epoch

    def renew(self) -> None:
        """Renew once; an error of the database is kept for the message, as it may be temporary."""
        if self.lost_because() is not None:
            return
        sent = self._clock()
        try:
            is_ours = self._table.renew(self._search_id, self.epoch, self._process.owner)
        except Exception as error:  # every database driver has its own
            self._error = f" ({type(error).__name__})"
            return
        with self._lock:
            self._renewed, self._error = sent, ""
            if not is_ours:
                self._lost = "another driver has taken over this search"

    def lost_because(self) -> str | None:
        """Why this driver must not write any more, in one sentence, or None while it may."""
        with self._lock:
            silent = self._clock() - self._renewed
            if self._lost is None and silent >= self._times.stop_after:
                self._lost = (
                    f"the driver's lease could not be renewed for {silent:.0f} s{self._error}; "
                    "check the study's database, then resume the search"
                )
            return self._lost

    def _try(self) -> int | None:
        """The new epoch; None if the last driver may still write, or another one was faster."""
        owner, holder = self._process.owner, self._process.holder
        self._renewed = self._clock()
        row = self._table.read(self._search_id)
        if row is None:
            return self._table.insert(self._search_id, owner, holder)
        is_gone = row.is_released or has_ended(row.owner) or self._is_silent(row)
        return self._table.take_over(self._search_id, row, owner, holder) if is_gone else None

    def _is_silent(self, row: LeaseRow) -> bool:
        """Whether the last driver has shown no sign of life for so long that it cannot write.

        Raises:
            DriverError: If it has.
        """
        if self._last_heartbeat is None:
            if 0 <= row.age < self._times.to_live:
                raise DriverError(_held(self._name, row, self._times))
            left_s = self._times.take_over_after - max(0.0, row.age)  # < 0: the clock was set back
            self._last_heartbeat = row.heartbeat
            self._silent_until = self._clock() + max(left_s, 2 * self._times.renew_every)
        if row.heartbeat != self._last_heartbeat:
            raise DriverError(_held(self._name, row, self._times))
        return self._clock() >= self._silent_until

    def _run(self) -> None:
        while not self._ended.wait(
            self._times.retry_every if self._error else self._times.renew_every
        ):
            self.renew()


def _held(name: str, row: LeaseRow, times: LeaseTimes) -> str:
    since = datetime.fromtimestamp(row.since, UTC).strftime("%Y-%m-%d %H:%M UTC")
    left_s = times.take_over_after - min(max(row.age, 0.0), times.take_over_after)
    return (
        f"search {name!r} is run by {row.holder} since {since}; stop it with `mixfront search "
        f"stop {name}`, or if that process is gone, resume the search in "
        f"{left_s:.0f} s"
    )
