"""Budget of trials, time and accelerator hours; Tune's own budgets bypass the searcher."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from mixfront.records.store import TrialRecord
from mixfront.spec.search_config import SearchConfig

HOUR = 3600.0


class Budget:
    """The budget of a search, over all drivers that have run it.

    Args:
        limits: The spec's `search:` section.
        clock: Monotonic seconds.
    """

    def __init__(
        self, limits: SearchConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._start = clock()
        self._earlier_seconds = 0.0
        self._paused_since: float | None = None
        self._charged: dict[str, float] = {}  # id of a started trial -> accelerator seconds

    def resume(self, records: Iterable[TrialRecord], seconds: float) -> "Budget":
        """Charge what earlier drivers spent: the trials they started, and their wall time."""
        self._earlier_seconds += seconds
        for record in records:
            if record.started is not None:
                self.charge(record.trial_id, record.accelerator_seconds)
        return self

    @property
    def planned(self) -> int | None:
        """Maximum number of trials; None if there is no such limit."""
        return self._limits.trials

    def charge(self, trial_id: str, accelerator_seconds: float) -> None:
        """Set the cost of a started trial so far; infeasible trials are never charged."""
        self._charged[trial_id] = accelerator_seconds

    def refund(self, trial_id: str) -> None:
        """Take back the charge for a trial that was started but never got a lane."""
        self._charged.pop(trial_id, None)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock while the search waits for a lane."""
        self._paused_since = self._clock()
        try:
            yield
        finally:
            self._start += self._clock() - self._paused_since
            self._paused_since = None

    def exclude(self, seconds: float) -> None:
        """Take time off the clock in which no trial could train; nothing while it is paused."""
        if self._paused_since is None:
            self._start += seconds

    def stops_new_trials(self) -> str | None:
        """The reason to start no more trials, in one sentence, or None; running ones continue."""
        limit = self._limits.trials
        if limit is not None and len(self._charged) >= limit:
            return f"the trial budget is spent: {len(self._charged)} of {limit} trials"
        return self.stops_running_trials()

    def stops_running_trials(self) -> str | None:
        """The reason to stop running trials too (time, accelerator hours), or None."""
        time_limit, hours_limit = self._limits.time, self._limits.accelerator_hours
        if time_limit is not None and self.seconds() >= time_limit:
            return f"the time budget is spent: {self.seconds():.0f} of {time_limit:.0f} s"
        if hours_limit is not None and self.accelerator_hours() >= hours_limit:
            hours = self.accelerator_hours()
            return f"the accelerator budget is spent: {hours:.3g} of {hours_limit:g} hours"
        return None

    def seconds(self) -> float:
        """Wall time of all drivers so far, without the time that they waited for a lane."""
        paused_since = self._paused_since  # read once, as another thread may call this
        now = self._clock() if paused_since is None else paused_since
        return self._earlier_seconds + now - self._start

    def seconds_left(self) -> float | None:
        """Rest of the time budget; None without a time limit."""
        limit = self._limits.time
        return None if limit is None else max(0.0, limit - self.seconds())

    def accelerator_hours(self) -> float:
        """Workers x wall time over all trials, in hours."""
        charged = tuple(self._charged.values())  # a copy, as another thread may call this
        return sum(charged) / HOUR
