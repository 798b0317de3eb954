"""When training looks at the abort flag, and what comes of it."""

import pytest

from mixfront.exceptions import DivergedError
from mixfront.lanes.agreement import Code, Phase, Status, Verdict
from mixfront.lanes.step_check import PeerFailed, StepCheck


class Ranks:
    """Two ranks that take a second per step; the other one does as told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.exchanges: list[Status] = []
        self.other: Status | None = None
        self.abort: str | None = None
        self.ticks = 0

    def check(self, every_s: float = 10.0) -> StepCheck:
        return StepCheck(
            self._exchange, lambda: 7, lambda: self.abort, self._tick, every_s, lambda: self.now
        )

    def _tick(self) -> None:
        self.ticks += 1

    def _exchange(self, mine: Status) -> list[Status]:
        self.exchanges.append(mine)
        return [mine, self.other or mine]


def test_the_ranks_meet_about_as_often_as_asked() -> None:
    ranks = Ranks()
    check, met = ranks.check(every_s=10.0), []
    for step in range(1, 60):
        ranks.now += 1.0
        before = len(ranks.exchanges)
        assert not check(step)
        met += [step] * (len(ranks.exchanges) - before)
    assert met == [1, 5, 15, 25, 35, 45, 55]  # it grows fourfold at most
    assert ranks.ticks == 59
    assert {status.sequence for status in ranks.exchanges} == {7}


def test_slow_steps_are_checked_one_by_one() -> None:
    ranks = Ranks()
    check = ranks.check(every_s=1.0)
    for step in range(1, 4):
        ranks.now += 30.0
        check(step)
    assert len(ranks.exchanges) == 3


def test_an_abort_stops_all() -> None:
    ranks = Ranks()
    check = ranks.check()
    ranks.abort = "enough"
    assert check(1)
    assert check.verdict is None


def test_another_ranks_nan_ends_this_one_alike() -> None:
    ranks = Ranks()
    ranks.other = Status(phase=Phase.END, code=Code.DIVERGED, sequence=7)
    check = ranks.check()
    with pytest.raises(DivergedError, match="another rank is not finite at step 1"):
        check(1)
    assert check.verdict is Verdict.DIVERGED


def test_another_ranks_failure_ends_the_worker_group() -> None:
    ranks = Ranks()
    ranks.other = Status(phase=Phase.END, code=Code.FAILED, sequence=6)
    check = ranks.check()
    with pytest.raises(PeerFailed):
        check(1)
    assert check.verdict is Verdict.KILL
