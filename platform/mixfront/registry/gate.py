"""Checks that a trial may be promoted: it is complete, feasible and on the front."""

from collections.abc import Sequence

from mixfront.exceptions import PromotionError
from mixfront.pareto import front_of, is_candidate, is_feasible
from mixfront.records.own_records import own_trial
from mixfront.records.store import RecordStore, TrialRecord, TrialState
from mixfront.spec.objectives import Objective

_REASONS = {
    TrialState.RUNNING: "is still running: wait until it is complete",
    TrialState.INTERRUPTED: "was interrupted: finish it with `mixfront search resume`",
    TrialState.PRUNED: "was stopped early, so its model is not fully trained",
    TrialState.FAILED: "failed",
}


def promotable(store: RecordStore, trial_id: str) -> TrialRecord:
    """Return the trial if it may be promoted.

    Raises:
        UnknownNameError: If there is no such search or trial.
        PromotionError: If it is unfinished, failed, infeasible, dominated or not exported.
        StorageError: If its record names a model outside the search's folder.
    """
    trial, search = store.trial(trial_id), store.search()
    _check_state(trial, search.objectives)
    front = front_of(store.trials(), search.objectives, search.reference_point)
    if better := front.dominated_by(trial):
        raise PromotionError(
            f"trial {trial_id} is dominated by trial {better[0].trial_id} "
            f"({_comparison(better[0], trial, search.objectives)}); promote that trial, or see "
            f"`mixfront pareto {store.name}`"
        )
    if trial.files_deleted:
        raise PromotionError(
            f"the checkpoint and exported model of trial {trial_id} were deleted, because the "
            f"search has `keep: {search.spec.get('keep')}`; train it again with "
            f"`mixfront reproduce {store.name} {trial_id}`, or write `keep: all` in the spec of "
            "the next search"
        )
    if trial.model_url is None:
        raise PromotionError(
            f"trial {trial_id} is complete, but its exported model is missing; train it again "
            f"with `mixfront reproduce {store.name} {trial_id}`"
        )
    return own_trial(store, search, trial)


def _check_state(trial: TrialRecord, objectives: Sequence[Objective]) -> None:
    if not is_feasible(trial):
        broken = [
            f"the constraint on {name} by {amount:.4g}"
            for name, amount in trial.violations.items()
            if amount > 0
        ]
        raise PromotionError(
            f"trial {trial.trial_id} is infeasible: it violates "
            f"{', '.join(broken) or 'a constraint'}; promote a feasible trial"
        )
    if trial.state is not TrialState.COMPLETE:
        why = f" ({trial.error})" if trial.error else ""
        raise PromotionError(f"trial {trial.trial_id} {_REASONS[trial.state]}{why}")
    if not is_candidate(trial, objectives):
        raise PromotionError(
            f"trial {trial.trial_id} has no finite value for some objective: its "
            f"values are {trial.values}; promote another trial"
        )


def _comparison(better: TrialRecord, trial: TrialRecord, objectives: Sequence[Objective]) -> str:
    return ", ".join(
        f"{o.metric} {better.values[o.metric]:.6g} against {trial.values[o.metric]:.6g}"
        for o in objectives
    )
