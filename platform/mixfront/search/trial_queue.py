"""The trials that continue before anything new is sampled."""

from collections import Counter, deque
from collections.abc import Iterable

from mixfront.records.store import TrialRecord

MAX_RETURNS = 5  # then the trial itself is the likely cause


class TrialQueue:
    """Trials of an interrupted search, and trials that lost their lane during this one.

    Args:
        unfinished: Trials of an interrupted search.
    """

    def __init__(self, unfinished: Iterable[TrialRecord]) -> None:
        self._trials = deque(unfinished)
        self._returns: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether a trial is waiting."""
        return bool(self._trials)

    def take(self) -> TrialRecord:
        """The trial that has waited longest."""
        return self._trials.popleft()

    def put_back(self, record: TrialRecord) -> None:
        """Queue a trial behind the others."""
        self._trials.append(record)

    def may_return(self, record: TrialRecord, before: TrialRecord) -> bool:
        """Count one more loss of a lane; False if a trial loses lanes without any progress.

        Args:
            record: The trial.
            before: Its record when it got the lane.
        """
        is_further = record.checkpoint != before.checkpoint or record.fidelity > before.fidelity
        self._returns[record.trial_id] = 0 if is_further else self._returns[record.trial_id] + 1
        return self._returns[record.trial_id] <= MAX_RETURNS
