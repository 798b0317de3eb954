"""The study in its storage."""

import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from mixfront.exceptions import MissingExtraError, SpecError
from mixfront.search.study import (
    elapsed_seconds,
    enqueue,
    num_enqueued,
    open_study,
    running_trial,
    set_elapsed_seconds,
)


def test_a_study_is_created_once_and_reopened(make_spec: Any, tmp_path: Path) -> None:
    spec, url = make_spec(), f"sqlite:///{tmp_path}/optuna.db"
    study = open_study(spec, url, "s-1")
    assert study.metric_names == ["auc", "flops"]
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    trial = study.ask()
    first = trial.suggest_float("x", 0, 1)
    enqueue(study, {"x": 0.5}, {})
    set_elapsed_seconds(study, 12.5)

    reopened = open_study(spec, url, "s-1")
    assert num_enqueued(reopened) == 1
    assert elapsed_seconds(reopened) == 12.5
    assert isinstance(reopened.sampler, optuna.samplers.TPESampler)
    handle = running_trial(reopened, 0)
    assert handle is not None
    handle.set_constraint("params", 0.5)
    handle.set_user_attr("mixfront:rung:0.25", {"auc": 0.6})
    reopened.tell(0, state=optuna.trial.TrialState.PRUNED)
    frozen = optuna.load_study(study_name="s-1", storage=url).trials[0]
    assert frozen.params == {"x": first}
    assert frozen.constraints == {"params": 0.5}
    assert running_trial(reopened, 0) is None
    assert running_trial(reopened, 7) is None


def test_a_storage_that_cannot_be_opened_is_one_sentence(make_spec: Any, tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"the study's database 'sqlite:.*' cannot be used \("
    ) as caught:
        open_study(make_spec(), f"sqlite:///{tmp_path}/no/such/optuna.db", "s-1")
    assert "\n" not in str(caught.value)


def test_an_error_does_not_show_the_password(make_spec: Any) -> None:
    with pytest.raises(SpecError, match=r"nosuchdb://\*\*\*@host/db") as caught:
        open_study(make_spec(), "nosuchdb://me:secret@host/db", "s-1")
    assert "secret" not in str(caught.value)


def test_a_missing_driver_names_the_extra_that_brings_it(
    make_spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    sentence = r"^the study at postgresql\+psycopg2://\*\*\*@db/optuna needs mixfront\[postgres\]"
    with pytest.raises(MissingExtraError, match=sentence):
        open_study(make_spec(), "postgresql+psycopg2://me:secret@db/optuna", "search")
