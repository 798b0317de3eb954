"""What a session calls after every optimizer step."""

import time
from collections.abc import Callable

from mixfront.exceptions import DivergedError, TrialError
from mixfront.lanes.agreement import Phase, Status, Verdict, decide

_MAX_GROWTH = 4  # of the steps between two checks, so that one quick step does not mislead


class PeerDiverged(DivergedError):
    """Raised inside a session whose own loss is finite, while another rank's is not."""


class PeerFailed(TrialError):
    """Raised inside a session because another rank cannot go on."""


class StepCheck:
    """Looks at the abort flag about once a second, at step numbers that all ranks share.

    Args:
        exchange: Tells all ranks this one's status and returns theirs.
        sequence: Number of collectives started on the data group.
        abort: Rank 0's view of the mailbox: why to stop, or None.
        tick: Called at every step.
        every_s: Seconds between two looks; rank 0's clock decides.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        exchange: Callable[[Status], list[Status]],
        sequence: Callable[[], int],
        abort: Callable[[], str | None],
        tick: Callable[[], None],
        every_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = exchange
        self._sequence = sequence
        self._abort = abort
        self._tick = tick
        self._every_s = every_s
        self._clock = clock
        self._steps_left = self._interval = 1
        self._looked = clock()
        self.verdict: Verdict | None = None  # once the ranks agreed to stop training

    def __call__(self, step: int) -> bool:
        """Whether to stop after a checkpoint.

        Raises:
            PeerDiverged: If another rank's loss is not finite.
            PeerFailed: If another rank cannot go on.
        """
        self._tick()
        self._steps_left -= 1
        return self._steps_left <= 0 and self._look(step)

    def _look(self, step: int) -> bool:
        told = self._exchange(
            Status(
                phase=Phase.CHECK,
                abort=int(self._abort() is not None),
                next_check=self._next_interval(),
                sequence=self._sequence(),
            )
        )
        self._steps_left = self._interval = told[0].next_check
        self._looked = self._clock()
        verdict = decide(told)
        if verdict is Verdict.DIVERGED:
            self.verdict = verdict
            raise PeerDiverged(f"the loss of another rank is not finite at step {step}")
        if verdict is Verdict.KILL:
            self.verdict = verdict
            raise PeerFailed(f"another rank failed before step {step}")
        return verdict is Verdict.ABORT

    def _next_interval(self) -> int:
        elapsed = max(self._clock() - self._looked, 1e-6)
        wanted = round(self._interval * self._every_s / elapsed)
        return max(1, min(wanted, _MAX_GROWTH * self._interval))
