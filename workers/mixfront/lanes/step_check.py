"""The check that a session calls after every optimizer step."""

import time
from collections.abc import Callable

from mixfront.exceptions import DivergedError, TrialError
from mixfront.lanes.agreement import Phase, RankStatus, Sequences, Verdict, decide

_MAX_GROWTH = 4  # of the steps between two checks, so that one fast step does not mislead


class PeerDiverged(DivergedError):
    """Raised inside a session whose own loss is finite, if another rank's is not."""


class PeerFailed(TrialError):
    """Raised inside a session if another rank has failed."""


class StepCheck:
    """Checks the abort flag about once per second, at step numbers that all ranks share.

    Args:
        exchange: Sends this rank's status to all ranks and returns theirs.
        sequences: Returns the numbers of collectives started on each group.
        abort: Returns why the mailbox asks to stop, or None.
        tick: Called at every step.
        interval_s: Seconds between two checks, by rank 0's clock.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        exchange: Callable[[RankStatus], list[RankStatus]],
        sequences: Callable[[], Sequences],
        abort: Callable[[], str | None],
        tick: Callable[[], None],
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._sequences = sequences
        self._abort = abort
        self._tick = tick
        self._interval_s = interval_s
        self._clock = clock
        self._steps_left = self._interval_steps = 1
        self._checked_at = clock()
        self.verdict: Verdict | None = None  # set once another rank's failure ends training

    def __call__(self, step: int) -> bool:
        """Whether to stop after a checkpoint.

        Raises:
            PeerDiverged: If another rank's loss is not finite.
            PeerFailed: If another rank has failed.
        """
        self._tick()
        self._steps_left -= 1
        return self._steps_left <= 0 and self._should_stop(step)

    def _should_stop(self, step: int) -> bool:
        statuses = self._exchange(
            RankStatus(
                phase=Phase.CHECK,
                abort=int(self._abort() is not None),
                next_check=self._next_interval_steps(),
                sequences=self._sequences(),
            )
        )
        self._steps_left = self._interval_steps = statuses[0].next_check
        self._checked_at = self._clock()
        verdict = decide(statuses)
        if verdict is Verdict.DIVERGED:
            self.verdict = verdict
            raise PeerDiverged(f"the loss of another rank is not finite at step {step}")
        if verdict is Verdict.KILL:
            self.verdict = verdict
            raise PeerFailed(f"another rank failed before step {step}")
        return verdict is Verdict.ABORT

    def _next_interval_steps(self) -> int:
        elapsed_s = max(self._clock() - self._checked_at, 1e-6)
        steps = round(self._interval_steps * self._interval_s / elapsed_s)
        return max(1, min(steps, _MAX_GROWTH * self._interval_steps))
