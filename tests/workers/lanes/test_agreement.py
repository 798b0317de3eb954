"""The verdict that ranks reach from their statuses."""

import pytest

from mixfront.lanes.agreement import Phase, RankStatus, Sequences, StatusCode, Verdict, decide


def end(code: StatusCode, world: int = 0, deepspeed: int = 0) -> RankStatus:
    return RankStatus(phase=Phase.END, code=code, sequences=Sequences(world, deepspeed))


def check(abort: int = 0) -> RankStatus:
    return RankStatus(phase=Phase.CHECK, abort=abort)


OK, FAILED = StatusCode.OK, StatusCode.FAILED
DIVERGED, ABORTED = StatusCode.DIVERGED, StatusCode.ABORTED
COLLECTIVE_FAILED = StatusCode.COLLECTIVE_FAILED


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([check(), check()], Verdict.CONTINUE),
        ([check(abort=1), check()], Verdict.ABORT),
        ([end(OK), end(OK)], Verdict.DONE),
        ([end(FAILED), end(FAILED)], Verdict.FAILED),
        ([end(ABORTED), end(ABORTED)], Verdict.ABORTED),
        ([end(DIVERGED), end(DIVERGED)], Verdict.DIVERGED),
        ([end(OK), end(DIVERGED)], Verdict.DIVERGED),
        ([check(), end(DIVERGED)], Verdict.DIVERGED),
        ([end(OK), end(FAILED)], Verdict.KILL),
        ([check(), end(FAILED)], Verdict.KILL),
        ([check(), end(OK)], Verdict.KILL),
        ([end(ABORTED), end(OK)], Verdict.KILL),
        ([end(FAILED), end(DIVERGED)], Verdict.KILL),
        ([end(COLLECTIVE_FAILED), end(COLLECTIVE_FAILED)], Verdict.KILL),
        ([end(COLLECTIVE_FAILED), end(FAILED)], Verdict.KILL),
    ],
)
def test_verdict_is_the_same_in_any_rank_order(
    statuses: list[RankStatus], verdict: Verdict
) -> None:
    assert decide(statuses) is verdict
    assert decide(statuses[::-1]) is verdict


@pytest.mark.parametrize("code", [FAILED, DIVERGED, ABORTED])
def test_ranks_that_left_after_different_collectives_are_killed(code: StatusCode) -> None:
    assert decide([end(code, world=4), end(code, world=5)]) is Verdict.KILL
    assert decide([end(code, deepspeed=4), end(code, deepspeed=5)]) is Verdict.KILL


def test_a_single_rank_agrees_with_itself() -> None:
    assert decide([end(FAILED)]) is Verdict.FAILED
