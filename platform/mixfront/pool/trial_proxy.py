"""Runs a trial on behalf of Ray Tune: leases a lane and trains on it, step by step.

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
    """Leases lanes."""

    def lease(self, trial_id: str) -> LeasedLane:
        """Lease a lane, waiting until one is free."""


class TrialProxy:
    """Runs one trial on one or more worker groups. Its steps never raise.

    If a worker group dies, the trial continues on a new one from its last checkpoint, at most
    `trial.max_failures` times. If its lane breaks or its node is drained, it continues on another
    lane, which is not counted.

    Args:
        pool: Leases the lanes.
        request: The trial to run.
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
        self._leased: LeasedLane | None = None
        self._ready_since: float | None = None  # accelerators are charged from then on
        self._accelerator_s = 0.0
        self._built_on = 0  # generation of the worker group that holds the session, or 0
        self._attempts = 0
        self._seconds: dict[str, float] = {}
        self._report = TrialReport(
            trial_id=request.trial_id,
            status=TrialStatus.RUNNING,
            checkpoint=request.resume_from,
        )

    def step(self) -> TrialReport:
        """Train to the next evaluation; once the trial has ended, return its last report again."""
        if self._report.is_last:
            return self._report
        self._seconds = {}
        try:
            changes = self._changes(self._advance())
        except AbortedError as error:
            changes = {"status": TrialStatus.INTERRUPTED, "error": str(error)}
        except WorkerGroupLost as error:
            changes = {"status": TrialStatus.FAILED, "error": str(error)}
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
        """Give the lane back; the pool aborts and tears down what the trial left there."""
        self._stop_clock()
        leased, self._leased = self._leased, None
        if leased is not None:
            with contextlib.suppress(AbortedError):  # the pool is gone, and the lane with it
                leased.give_back()

    def _advance(self) -> Reply:
        """Train to the next evaluation, on as many worker groups as it takes."""
        while True:
            leased = self._lease()
            try:
                generation = leased.lane.wait_ready()
                if self._built_on not in (0, generation):
                    raise WorkerGroupLost("the worker group died between two steps")
                self._start_clock()
                reply = self._ask(leased, generation)
                if reply.outcome is not Outcome.DRAINED:
                    return reply
                self._keep_checkpoint(reply)
                self._built_on = 0
                self.end()
            except WorkerGroupLost as error:
                self._stop_clock()
                self._built_on = 0
                self._attempts += 1
                if not error.retry or self._attempts > leased.max_failures:
                    raise
            except LaneLost:
                self._built_on = 0
                self.end()

    def _ask(self, leased: LeasedLane, generation: int) -> Reply:
        if not self._built_on:
            reply = self._build(leased, generation)
            if reply.outcome is not Outcome.OK:
                return reply
        return leased.lane.ask(CommandKind.ADVANCE, {})

    def _keep_checkpoint(self, reply: Reply) -> None:
        checkpoint = reply.checkpoint or self._report.checkpoint
        self._report = self._report.model_copy(update={"checkpoint": checkpoint})

    def _lease(self) -> LeasedLane:
        if self._leased is None:
            start = self._clock()
            self._leased = self._pool.lease(self._request.trial_id)
            self._seconds["lease"] = self._clock() - start
        return self._leased

    def _build(self, leased: LeasedLane, generation: int) -> Reply:
        request = self._request.model_copy(update={"resume_from": self._report.checkpoint})
        reply = leased.lane.ask(CommandKind.SETUP, request.model_dump(mode="json"))
        self._seconds["setup"] = reply.seconds
        self._built_on = generation if reply.outcome is Outcome.OK else 0
        return reply

    def _changes(self, reply: Reply) -> dict[str, Any]:
        """The fields of the report that a reply changes."""
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

    def _start_clock(self) -> None:
        if self._ready_since is None:
            self._ready_since = self._clock()

    def _stop_clock(self) -> None:
        self._accelerator_s, self._ready_since = self._accelerator_seconds(), None

    def _accelerator_seconds(self) -> float:
        """Workers x wall time on a worker group, without waiting for one."""
        if self._leased is None or self._ready_since is None:
            return self._accelerator_s
        return self._accelerator_s + self._leased.workers * (self._clock() - self._ready_since)
