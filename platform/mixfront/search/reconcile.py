"""Makes records and study agree after an interruption, so that no trial runs twice."""

import time
from dataclasses import dataclass

from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from mixfront.exceptions import SpecError
from mixfront.records.store import RecordStore, TrialRecord, TrialState
from mixfront.search.proposals import Proposals

_DIED = "the driver died before it saved this trial"
_STATES = {
    OptunaState.COMPLETE: TrialState.COMPLETE,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
}


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The trials that an earlier driver left open."""

    unfinished: tuple[TrialRecord, ...]  # suggested again before anything is sampled
    synced: tuple[TrialRecord, ...]  # finished in the records, still running in the study
    orphans: tuple[TrialRecord, ...]  # in the study but never saved; they are now FAILED


def reconcile(store: RecordStore, proposals: Proposals) -> Reconciliation:
    """Compare records and study after a driver has ended in any way, and make them agree.

    Records are saved before `Study.tell`, so where the two differ, the record is right.

    Raises:
        SpecError: If the study lacks a trial that has a record, so it belongs to another search.
    """
    records = {record.trial_id: record for record in store.trials()}
    # Once for all: a look at one trial costs a pass over the whole study.
    told = {str(trial.number): trial for trial in proposals.study.get_trials(deepcopy=False)}
    unfinished: list[TrialRecord] = []
    synced: list[TrialRecord] = []
    for record in records.values():
        frozen = told.get(record.trial_id)
        if frozen is None or frozen.state is OptunaState.WAITING:
            raise SpecError(
                f"the study has no trial {record.trial_id}, but {store.url} has its record; set "
                "`optuna_storage:` or OPTUNA_STORAGE to the storage that the search started with"
            )
        if record.state.is_finished and not frozen.state.is_finished():
            proposals.tell(record)
            synced.append(record)
        elif not record.state.is_finished and frozen.state.is_finished():
            _copy_from_study(record, frozen, proposals)
            store.save_trial(record)
        elif not record.state.is_finished:
            unfinished.append(record)
    return Reconciliation(
        unfinished=tuple(unfinished),
        synced=tuple(synced),
        orphans=tuple(_fail_orphans(store, proposals, set(records))),
    )


def _copy_from_study(record: TrialRecord, frozen: FrozenTrial, proposals: Proposals) -> None:
    """Copy the result of a trial that another program has finished in the study."""
    record.state = _STATES[frozen.state]
    record.ended = frozen.datetime_complete.timestamp() if frozen.datetime_complete else None
    if frozen.values is not None:
        metrics = [objective.metric for objective in proposals.objectives]
        record.values = dict(zip(metrics, frozen.values, strict=True))


def _fail_orphans(store: RecordStore, proposals: Proposals, saved: set[str]) -> list[TrialRecord]:
    orphans = []
    for frozen in proposals.study.get_trials(deepcopy=False, states=(OptunaState.RUNNING,)):
        if str(frozen.number) in saved:
            continue
        record = _orphan(frozen, proposals)
        store.save_trial(record)
        proposals.tell(record)
        orphans.append(record)
    return orphans


def _orphan(frozen: FrozenTrial, proposals: Proposals) -> TrialRecord:
    try:
        config = proposals.space.suggest(frozen)  # replays the sampled values
    except (ValueError, SpecError):  # the driver died while sampling
        config = dict(frozen.params)
    return TrialRecord(
        trial_id=str(frozen.number),
        family=str(config.get("family", "")),
        config=config,
        state=TrialState.FAILED,
        error=_DIED,
        ended=time.time(),
    )
