"""When training checks the abort flag, and how it reacts."""

import pytest

from mixfront.exceptions import DivergedError
from mixfront.lanes.agreement import Phase, RankStatus, Sequences, StatusCode, Verdict
from mixfront.lanes.step_check import PeerFailed, StepCheck

SEQUENCES = Sequences(world=7, deepspeed=9)


class Ranks:
    """Two ranks; `other` is the status of the second, by default the same as the first's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.exchanges: list[RankStatus] = []
        self.other: RankStatus | None = None
        self.abort: str | None = None
        self.ticks = 0

    def check(self, interval_s: float = 10.0) -> StepCheck:
        return StepCheck(
            self._exchange,
            lambda: SEQUENCES,
            lambda: self.abort,
            self._tick,
            interval_s,
            lambda: self.now,
        )

    def _tick(self) -> None:
        self.ticks += 1

    def _exchange(self, status: RankStatus) -> list[RankStatus]:
        self.exchanges.append(status)
        return [status, self.other or status]


def test_ranks_exchange_about_once_per_interval() -> None:
    ranks = Ranks()
    check, exchanged_at = ranks.check(interval_s=10.0), []
    for step in range(1, 60):
        ranks.now += 1.0
        before = len(ranks.exchanges)
        assert not check(step)
        exchanged_at += [step] * (len(ranks.exchanges) - before)
    assert exchanged_at == [1, 5, 15, 25, 35, 45, 55]  # the interval grows at most fourfold
    assert ranks.ticks == 59
    assert {status.sequences for status in ranks.exchanges} == {SEQUENCES}


def test_slow_steps_are_each_checked() -> None:
    ranks = Ranks()
    check = ranks.check(interval_s=1.0)
    for step in range(1, 4):
        ranks.now += 30.0
        check(step)
    assert len(ranks.exchanges) == 3


def test_an_abort_stops_training() -> None:
    ranks = Ranks()
    check = ranks.check()
    ranks.abort = "enough"
    assert check(1)
    assert check.verdict is None


def test_nan_on_another_rank_ends_training_on_this_one() -> None:
    ranks = Ranks()
    ranks.other = RankStatus(phase=Phase.END, code=StatusCode.DIVERGED, sequences=SEQUENCES)
    check = ranks.check()
    with pytest.raises(DivergedError, match="another rank is not finite at step 1"):
        check(1)
    assert check.verdict is Verdict.DIVERGED


def test_a_failure_of_another_rank_ends_the_worker_group() -> None:
    ranks = Ranks()
    ranks.other = RankStatus(phase=Phase.END, code=StatusCode.FAILED, sequences=Sequences(6, 9))
    check = ranks.check()
    with pytest.raises(PeerFailed):
        check(1)
    assert check.verdict is Verdict.KILL
