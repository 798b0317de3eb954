"""What stands for a trial in Ray Tune: it leases a lane and has it train, step by step.

A plain class, so that it can be tested without Tune; LaneTrial is a thin wrapper around it.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any, Protocol

from mixfront.exceptions import AbortedError
from mixfront.lanes import CommandKind, Outcome, Reply
from mixfront.pool.client import LaneLost, LeasedLane, WorkerGroupLost
from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.training.request import TrialRequest


class Pool(Protocol):
    """Where lanes are leased."""

    def lease(self, trial_id: str) -> LeasedLane:
        """Lease a lane; waits until one is free."""


class TrialProxy:
    """One trial's way through one or more worker groups. Its steps never raise.

    A worker group that dies under the trial is replaced, and the trial continues from its last
    checkpoint, as often as the spec's `trial.max_failures` says.

    Args:
        pool: Where lanes are leased.
        request: The trial.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        pool: Pool,
        request: TrialRequest,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._request = request
        self._clock = clock
        self._held: LeasedLane | None = None
        self._leased_at = 0.0
        self._accelerator_s = 0.0
        self._built = False
        self._attempts = 0
        self._seconds: dict[str, float] = {}
        self._report = TrialReport(
            trial_id=request.trial_id,
            status=TrialStatus.RUNNING,
            checkpoint=request.resume_from,
        )

    def step(self) -> TrialReport:
        """Train to the next evaluation; once the trial is over, its last report again."""
        if self._report.is_last:
            return self._report
        self._seconds = {}
        try:
            changes = self._outcome(self._advance())
        except AbortedError as stop:
            changes = {"status": TrialStatus.INTERRUPTED, "error": str(stop)}
        except WorkerGroupLost as death:
            changes = {"status": TrialStatus.FAILED, "error": str(death)}
        if changes["status"] is not TrialStatus.RUNNING:
            self.end()
        self._report = self._report.model_copy(
            update={
                "number": self._report.number + 1,
                "attempts": self._attempts,
                "accelerator_seconds": self._accelerator_seconds(),
                "seconds": self._seconds,
            }
            | changes
        )
        return self._report

    def end(self) -> None:
        """Give the lane back; what the trial left there is aborted and torn down."""
        held, self._held = self._held, None
        if held is not None:
            self._accelerator_s += held.workers * (self._clock() - self._leased_at)
            with contextlib.suppress(AbortedError):  # the pool is gone, and the lane with it
                held.give_back()

    def _advance(self) -> Reply:
        """Advance by one evaluation, over as many worker groups as it takes."""
        while True:
            held = self._hold()
            try:
                held.lane.wait_ready()
                if not self._built:
                    reply = self._build(held)
                    if reply.outcome is not Outcome.OK:
                        return reply
                return held.lane.ask(CommandKind.ADVANCE, {})
            except WorkerGroupLost as death:
                self._built = False
                self._attempts += 1
                if not death.retry or self._attempts > held.max_failures:
                    raise
            except LaneLost:
                self._built = False
                self.end()

    def _hold(self) -> LeasedLane:
        if self._held is None:
            asked = self._clock()
            self._held = self._pool.lease(self._request.trial_id)
            self._leased_at = self._clock()
            self._seconds["lease"] = self._leased_at - asked
        return self._held

    def _build(self, held: LeasedLane) -> Reply:
        request = self._request.model_copy(update={"resume_from": self._report.checkpoint})
        reply = held.lane.ask(CommandKind.SETUP, request.model_dump(mode="json"))
        self._seconds["setup"] = reply.seconds
        self._built = reply.outcome is Outcome.OK
        return reply

    def _outcome(self, reply: Reply) -> dict[str, Any]:
        """What a reply changes in the report."""
        evaluation = reply.evaluation
        if reply.outcome is not Outcome.OK or evaluation is None:
            failed = reply.outcome is Outcome.FAILED
            return {
                "status": TrialStatus.FAILED if failed else TrialStatus.INTERRUPTED,
                "error": reply.error,
                "checkpoint": reply.checkpoint or self._report.checkpoint,
            }
        complete = evaluation.fidelity >= 1.0
        self._seconds |= evaluation.seconds
        return {
            "status": TrialStatus.COMPLETE if complete else TrialStatus.RUNNING,
            "step": evaluation.step,
            "fidelity": evaluation.fidelity,
            "metrics": evaluation.metrics,
            "checkpoint": evaluation.checkpoint,
            "model_url": evaluation.model_url,
        }

    def _accelerator_seconds(self) -> float:
        if self._held is None:
            return self._accelerator_s
        return self._accelerator_s + self._held.workers * (self._clock() - self._leased_at)
