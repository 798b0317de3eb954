"""A trial on lanes with scripted replies."""

from collections.abc import Mapping
from typing import Any

import pytest

from mixfront.exceptions import AbortedError
from mixfront.lanes import CommandKind, Outcome, Reply
from mixfront.lanes.toy_session import ToyScript
from mixfront.pool.client import LaneLost, WorkerGroupLost
from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.pool.trial_proxy import TrialProxy
from mixfront.training.evaluation import Evaluation

SETUP, ADVANCE = CommandKind.SETUP, CommandKind.ADVANCE


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Pool:
    """Leases itself as the lane; `replies` are returned, or raised if they are errors."""

    workers = 2
    max_failures = 1

    def __init__(self, clock: Clock, *replies: Reply | Exception) -> None:
        self._clock = clock
        self._replies = list(replies)
        self.commands: list[tuple[CommandKind, str | None]] = []
        self.leases = 0
        self.generation = 1
        self.given_back = 0

    @property
    def lane(self) -> "Pool":
        return self

    def lease(self, _trial_id: str) -> Any:
        self.leases += 1
        self._clock.now += 5.0
        return self

    def wait_ready(self) -> int:
        self._clock.now += 3.0
        return self.generation

    def ask(self, kind: CommandKind, payload: Mapping[str, Any]) -> Reply:
        self.commands.append((kind, payload.get("resume_from")))
        self._clock.now += 10.0
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def give_back(self) -> None:
        self.given_back += 1


def reply(outcome: Outcome = Outcome.OK, **fields: Any) -> Reply:
    return Reply(command_id=1, outcome=outcome, **fields)


def evaluation(fidelity: float) -> Reply:
    return reply(
        evaluation=Evaluation(
            step=int(100 * fidelity),
            fidelity=fidelity,
            metrics={"auc": fidelity},
            checkpoint=f"at-{fidelity}",
            model_url="model" if fidelity == 1.0 else None,
            seconds={"train": 3.0},
        )
    )


def begin(*replies: Reply | Exception) -> tuple[TrialProxy, Pool]:
    clock = Clock()
    pool = Pool(clock, *replies)
    return TrialProxy(pool, ToyScript().request("/nowhere", "7"), clock=clock), pool


def test_a_trial_trains_to_the_end_and_gives_its_lane_back() -> None:
    proxy, pool = begin(reply(seconds=0.3), evaluation(0.5), evaluation(1.0))
    first = proxy.step()
    assert (first.status, first.fidelity, first.number) == ("running", 0.5, 1)
    assert first.seconds == {"lease": 5.0, "setup": 0.3, "train": 3.0}
    assert first.accelerator_seconds == 2 * 20.0  # not the waits for a lane and its workers
    last = proxy.step()
    assert last == TrialReport(
        trial_id="7",
        status=TrialStatus.COMPLETE,
        number=2,
        step=100,
        fidelity=1.0,
        metrics={"auc": 1.0},
        checkpoint="at-1.0",
        model_url="model",
        accelerator_seconds=2 * 33.0,
        seconds={"train": 3.0},
    )
    assert pool.given_back == 1
    assert proxy.step() == last
    proxy.end()
    assert pool.given_back == 1


def test_after_a_lost_group_the_trial_continues_from_its_last_checkpoint() -> None:
    proxy, pool = begin(
        reply(), evaluation(0.5), WorkerGroupLost("killed"), reply(), evaluation(1.0)
    )
    proxy.step()
    result = proxy.step()
    assert (result.status, result.attempts) == ("complete", 1)
    assert pool.commands == [
        (SETUP, None),
        (ADVANCE, None),
        (ADVANCE, None),
        (SETUP, "at-0.5"),
        (ADVANCE, None),
    ]
    assert pool.leases == 1


def test_too_many_lost_groups_fail_the_trial() -> None:
    proxy, pool = begin(WorkerGroupLost("first"), WorkerGroupLost("second"))
    result = proxy.step()
    assert (result.status, result.attempts, result.error) == ("failed", 2, "second")
    assert pool.given_back == 1


def test_a_failure_that_would_repeat_is_not_retried() -> None:
    proxy, _ = begin(reply(), WorkerGroupLost("nan", retry=False))
    result = proxy.step()
    assert (result.status, result.attempts) == ("failed", 1)


@pytest.mark.parametrize("kind", [SETUP, ADVANCE])
def test_the_trials_own_failure_is_a_result(kind: CommandKind) -> None:
    failed = reply(Outcome.FAILED, error="the loss is nan")
    proxy, pool = begin(*([failed] if kind is SETUP else [reply(), failed]))
    result = proxy.step()
    assert (result.status, result.error) == ("failed", "the loss is nan")
    assert pool.given_back == 1


def test_an_abort_during_training_keeps_the_new_checkpoint() -> None:
    stopped = reply(Outcome.INTERRUPTED, error="stopped", checkpoint="at-0.7")
    proxy, _ = begin(reply(), evaluation(0.5), stopped)
    proxy.step()
    result = proxy.step()
    assert (result.status, result.checkpoint) == ("interrupted", "at-0.7")
    assert result.fidelity == 0.5
    assert result.metrics == {"auc": 0.5}


def test_a_closed_pool_interrupts_the_trial() -> None:
    proxy, _ = begin(AbortedError("the search was stopped"))
    result = proxy.step()
    assert (result.status, result.error) == ("interrupted", "the search was stopped")


def test_a_broken_lane_is_replaced_without_counting_as_a_failure() -> None:
    proxy, pool = begin(reply(), LaneLost("broken"), reply(), evaluation(1.0))
    result = proxy.step()
    assert (result.status, result.attempts) == ("complete", 0)
    assert (pool.leases, pool.given_back) == (2, 2)


def test_a_group_that_died_between_two_steps_is_noticed() -> None:
    proxy, pool = begin(reply(), evaluation(0.5), reply(), evaluation(1.0))
    proxy.step()
    pool.generation = 2
    result = proxy.step()
    assert (result.status, result.attempts) == ("complete", 1)
    assert pool.commands[2:] == [(SETUP, "at-0.5"), (ADVANCE, None)]


def test_a_drained_trial_goes_on_elsewhere_from_its_new_checkpoint() -> None:
    drained = reply(Outcome.DRAINED, error="its node is being drained", checkpoint="at-0.7")
    proxy, pool = begin(reply(), evaluation(0.5), drained, reply(), evaluation(1.0))
    proxy.step()
    result = proxy.step()
    assert (result.status, result.attempts) == ("complete", 0)
    assert pool.commands[3:] == [(SETUP, "at-0.7"), (ADVANCE, None)]
    assert (pool.leases, pool.given_back) == (2, 2)
