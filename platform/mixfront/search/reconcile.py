"""After an interruption: records and study brought to one truth, so that nothing runs twice."""

import time
from dataclasses import dataclass

from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from mixfront.exceptions import SpecError
from mixfront.records.store import RecordStore, TrialRecord, TrialState
from mixfront.search.proposals import Proposals

_DIED = "the driver ended before this trial was written down"
_STATES = {
    OptunaState.COMPLETE: TrialState.COMPLETE,
    OptunaState.PRUNED: TrialState.PRUNED,
    OptunaState.FAIL: TrialState.FAILED,
}


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What a resumed search has to know."""

    unfinished: tuple[TrialRecord, ...]  # to be suggested again first
    told: tuple[TrialRecord, ...]  # finished, and the study had not heard
    orphans: tuple[TrialRecord, ...]  # asked for, never written down: FAILED


def reconcile(store: RecordStore, proposals: Proposals) -> Reconciled:
    """Compare records and study after the driver ended, however it ended.

    Records are written before the study is told, so where the two differ the record is right.

    Raises:
        SpecError: If the study lacks a trial that the records have: it is not this search's.
    """
    records = {record.trial_id: record for record in store.trials()}
    unfinished: list[TrialRecord] = []
    told: list[TrialRecord] = []
    for record in records.values():
        state = proposals.state_of(record.trial_id)
        if state is None or state is OptunaState.WAITING:
            raise SpecError(
                f"the study has no trial {record.trial_id} although {store.url} has its record; "
                f"point `optuna_storage:` or OPTUNA_STORAGE at the storage this search began with"
            )
        if record.state.is_finished and not state.is_finished():
            proposals.tell(record)
            told.append(record)
        elif not record.state.is_finished and state.is_finished():
            _follow_study(record, proposals)
            store.save_trial(record)
        elif not record.state.is_finished:
            unfinished.append(record)
    return Reconciled(
        unfinished=tuple(unfinished),
        told=tuple(told),
        orphans=tuple(_fail_orphans(store, proposals, set(records))),
    )


def _follow_study(record: TrialRecord, proposals: Proposals) -> None:
    """Someone else finished the trial in the study; it must not run again."""
    frozen = proposals.study.get_trials(deepcopy=False)[int(record.trial_id)]
    record.state = _STATES[frozen.state]
    record.ended = frozen.datetime_complete.timestamp() if frozen.datetime_complete else None
    if frozen.values is not None:
        metrics = [objective.metric for objective in proposals.objectives]
        record.values = dict(zip(metrics, frozen.values, strict=True))


def _fail_orphans(store: RecordStore, proposals: Proposals, known: set[str]) -> list[TrialRecord]:
    orphans = []
    for frozen in proposals.study.get_trials(deepcopy=False, states=(OptunaState.RUNNING,)):
        if str(frozen.number) in known:
            continue
        record = _orphan(frozen, proposals)
        store.save_trial(record)
        proposals.tell(record)
        orphans.append(record)
    return orphans


def _orphan(frozen: FrozenTrial, proposals: Proposals) -> TrialRecord:
    try:
        config = proposals.space.suggest(frozen)  # replays what was drawn
    except (ValueError, SpecError):  # the driver died half-way through drawing
        config = dict(frozen.params)
    return TrialRecord(
        trial_id=str(frozen.number),
        family=str(config.get("family", "")),
        config=config,
        state=TrialState.FAILED,
        error=_DIED,
        ended=time.time(),
    )
