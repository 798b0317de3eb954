"""What ranks decide from what they told each other."""

import pytest

from mixfront.lanes.agreement import Code, Phase, Status, Verdict, decide


def end(code: Code, sequence: int = 0) -> Status:
    return Status(phase=Phase.END, code=code, sequence=sequence)


def check(abort: int = 0, sequence: int = 0) -> Status:
    return Status(phase=Phase.CHECK, abort=abort, sequence=sequence)


OK, FAILED, DIVERGED, ABORTED = Code.OK, Code.FAILED, Code.DIVERGED, Code.ABORTED


@pytest.mark.parametrize(
    ("told", "verdict"),
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
    ],
)
def test_the_verdict(told: list[Status], verdict: Verdict) -> None:
    assert decide(told) is verdict
    assert decide(told[::-1]) is verdict


@pytest.mark.parametrize("code", [FAILED, DIVERGED, ABORTED])
def test_ranks_that_left_between_different_collectives_cannot_go_on(code: Code) -> None:
    assert decide([end(code, sequence=4), end(code, sequence=5)]) is Verdict.KILL


def test_one_rank_alone_agrees_with_itself() -> None:
    assert decide([end(FAILED)]) is Verdict.FAILED
