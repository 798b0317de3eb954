"""Trials, time and accelerator hours: ours, because Tune's own budgets never tell the searcher."""

import time
from collections.abc import Callable, Iterable

from mixfront.records.store import TrialRecord
from mixfront.spec.search_config import SearchConfig

HOUR = 3600.0


class Budget:
    """What a search may spend, over all the drivers that ever ran it.

    Args:
        limits: The spec's `search:` part.
        clock: Monotonic seconds.
    """

    def __init__(
        self, limits: SearchConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._begun = clock()
        self._seconds_before = 0.0
        self._charged: dict[str, float] = {}  # accelerator seconds by trial that was started

    def resume(self, records: Iterable[TrialRecord], seconds: float) -> "Budget":
        """Count what earlier drivers spent: the trials they started, and their wall time."""
        self._seconds_before += seconds
        for record in records:
            if record.started is not None:
                self.charge(record.trial_id, record.accelerator_seconds)
        return self

    @property
    def planned(self) -> int | None:
        """Trials that the budget allows; None if it does not count them."""
        return self._limits.trials

    def charge(self, trial_id: str, accelerator_seconds: float) -> None:
        """Set what a started trial has cost so far; infeasible ones are never charged."""
        self._charged[trial_id] = accelerator_seconds

    def spent(self) -> str | None:
        """Why no further trial may be started, in a sentence, or None. Running ones may go on."""
        limit = self._limits.trials
        if limit is not None and len(self._charged) >= limit:
            return f"the trial budget is spent: {len(self._charged)} of {limit} trials"
        return self.overdrawn()

    def overdrawn(self) -> str | None:
        """Why running trials must stop too, in a sentence, or None: time, accelerator hours."""
        time_limit, hours_limit = self._limits.time, self._limits.accelerator_hours
        if time_limit is not None and self.seconds() >= time_limit:
            return f"the time budget is spent: {self.seconds():.0f} of {time_limit:.0f} s"
        if hours_limit is not None and self.accelerator_hours() >= hours_limit:
            hours = self.accelerator_hours()
            return f"the accelerator budget is spent: {hours:.3g} of {hours_limit:g} hours"
        return None

    def seconds(self) -> float:
        """Wall time of all drivers of this search."""
        return self._seconds_before + self._clock() - self._begun

    def seconds_left(self) -> float | None:
        """Of the time budget; None if there is none."""
        limit = self._limits.time
        return None if limit is None else max(0.0, limit - self.seconds())

    def accelerator_hours(self) -> float:
        """Workers x wall time, in hours, of all trials."""
        charged = tuple(self._charged.values())  # a copy: another thread may be asking
        return sum(charged) / HOUR
