"""Nothing is logged twice."""

from mixfront.tracking.history import History
from mixfront.tracking.run_update import RunUpdate


def test_the_first_value_of_a_metric_and_step_is_kept() -> None:
    history = History()
    history.add(RunUpdate(seq=4, time_ms=0, trial_id="1", step=10, metrics={"auc": 0.7}))
    repeated = {"auc": 0.8, "uauc": 0.6}
    assert history.new_metrics("1", 10, repeated) == {"uauc": 0.6}
    assert history.new_metrics("1", 20, repeated) == repeated
    assert history.new_metrics("2", 10, repeated) == repeated
    assert history.last_seq == 4


def test_ranks_and_states_are_new_when_they_change() -> None:
    history = History()
    tags = {"pareto.rank": "0", "mixfront.state": "complete"}
    history.add(RunUpdate(seq=1, time_ms=0, trial_id="1", tags=tags))
    assert history.new_ranks({"1": 0, "2": 1}) == {"2": 1}
    assert history.new_ranks({"1": 1}) == {"1": 1}
    assert history.state_of("1") == "complete"
    assert history.state_of("2") is None


def test_a_front_is_new_when_it_changes() -> None:
    history = History()
    history.add(RunUpdate(seq=3, time_ms=0, texts={"front.json": "{}"}))
    assert history.page_seq == 3
    history.add(RunUpdate(seq=4, time_ms=0, tags={"mixfront.infeasible": "17"}))
    assert (history.page_seq, history.num_refused) == (4, 17)
    assert not history.is_new_front("{}")
    assert history.is_new_front('{"front": []}')


def test_missing_updates_are_noticed_and_their_numbers_not_used_again() -> None:
    history = History()
    for seq in (1, 2):
        history.add(RunUpdate(seq=seq, time_ms=0))
    history.reach(2)
    assert not history.has_gaps
    history.reach(4)
    assert (history.has_gaps, history.last_seq) == (True, 4)
    history = History()
    history.add(RunUpdate(seq=2, time_ms=0))
    assert (history.has_gaps, history.last_seq) == (True, 2)
