"""What stands for a trial in Ray Tune: it leases a lane and has it train, step by step.

A plain class, so that it can be tested without Tune; LaneTrial is its thin coat.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from mixfront.exceptions import AbortedError
from mixfront.lanes import CommandKind, Outcome, Reply
from mixfront.pool.client import LaneLost, LeasedLane, WorkerGroupLost
from mixfront.training.request import TrialRequest

Status = Literal["running", "complete", "failed", "interrupted"]


class Pool(Protocol):
    """Where lanes are leased."""

    def lease(self, trial_id: str) -> LeasedLane:
        """Lease a lane; waits until one is free."""


class TrialProxy:
    """One trial's way through one or more worker groups. Its steps never raise.

    A worker group that dies under the trial is replaced, and the trial goes on from its last
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
        self._checkpoint = request.resume_from
        self._step = 0
        self._fidelity = 0.0
        self._metrics: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._last: dict[str, Any] | None = None  # once the trial is over

    def step(self) -> dict[str, Any]:
        """Train to the next evaluation; the result that Tune gets."""
        if self._last is not None:
            return self._last
        self._seconds = {}
        try:
            result = self._result_of(self._advance())
        except AbortedError as stop:
            result = self._result("interrupted", error=str(stop))
        except WorkerGroupLost as death:
            result = self._result("failed", error=str(death))
        if result["done"]:
            self.end()
            result |= {"accelerator_seconds": self._accelerator_seconds()}
            self._last = result
        return result

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
        request = self._request.model_copy(update={"resume_from": self._checkpoint})
        reply = held.lane.ask(CommandKind.SETUP, request.model_dump(mode="json"))
        self._seconds["setup"] = reply.seconds
        self._built = reply.outcome is Outcome.OK
        return reply

    def _result_of(self, reply: Reply) -> dict[str, Any]:
        self._checkpoint = reply.checkpoint or self._checkpoint
        if reply.outcome is Outcome.FAILED:
            return self._result("failed", error=reply.error)
        if reply.outcome is Outcome.INTERRUPTED or reply.evaluation is None:
            return self._result("interrupted", error=reply.error)
        evaluation = reply.evaluation
        self._step = evaluation["step"]
        self._fidelity = evaluation["fidelity"]
        self._metrics = evaluation["metrics"]
        self._checkpoint = evaluation["checkpoint"]
        self._seconds |= evaluation["seconds"]
        status: Status = "complete" if self._fidelity >= 1.0 else "running"
        return self._result(status, final=evaluation["final"])

    def _result(
        self, status: Status, *, final: str | None = None, error: str | None = None
    ) -> dict[str, Any]:
        return {
            "trial_id": self._request.trial_id,
            "step": self._step,
            "fidelity": self._fidelity,
            "status": status,
            "metrics": self._metrics,
            "checkpoint": self._checkpoint,
            "final": final,
            "error": error,
            "attempts": self._attempts,
            "accelerator_seconds": self._accelerator_seconds(),
            "seconds": self._seconds,
            "done": status != "running",
        }

    def _accelerator_seconds(self) -> float:
        if self._held is None:
            return self._accelerator_s
        return self._accelerator_s + self._held.workers * (self._clock() - self._leased_at)
