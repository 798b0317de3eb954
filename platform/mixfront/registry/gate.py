"""Which trials may enter the registry: complete, feasible, and on the front."""

from collections.abc import Sequence

from mixfront.exceptions import PromotionError
from mixfront.tracking.records import Objective, RecordStore, TrialRecord, TrialState

_REASONS = {
    TrialState.RUNNING: "is still running: wait until it is complete",
    TrialState.INTERRUPTED: "was interrupted: finish it with `mixfront search resume`",
    TrialState.PRUNED: "was stopped early, so its values are not those of a finished model",
    TrialState.FAILED: "failed",
    TrialState.INFEASIBLE: "is infeasible",
}


def promotable(store: RecordStore, trial_id: str) -> TrialRecord:
    """The trial, if it may be promoted.

    Raises:
        UnknownNameError: If there is no such search or trial.
        PromotionError: If it is unfinished, failed, infeasible or dominated; says why.
    """
    trial = store.trial(trial_id)
    _check_state(trial)
    rivals = [t for t in store.trials() if t.state is TrialState.COMPLETE and not breaks(t)]
    objectives = store.search().objectives
    better = dominating(trial, rivals, objectives)
    if better is not None:
        raise PromotionError(
            f"trial {trial_id} is dominated by trial {better.trial_id} "
            f"({_compared(better, trial, objectives)}): promote that one, or see "
            f"`mixfront pareto {store.name}`"
        )
    if trial.final is None:
        raise PromotionError(
            f"trial {trial_id} is complete, but its exported model is missing: "
            "`mixfront reproduce` trains it again"
        )
    return trial


def dominating(
    trial: TrialRecord, rivals: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> TrialRecord | None:
    """The rival that dominates `trial` by the most in the first objective, or None.

    One point dominates another if it is no worse in every objective and better in one.
    """
    own = _as_losses(trial, objectives)
    better = [
        (losses, rival)
        for rival in rivals
        if (losses := _as_losses(rival, objectives)) != own
        and all(theirs <= mine for theirs, mine in zip(losses, own, strict=True))
    ]
    return min(better, key=lambda pair: pair[0])[1] if better else None


def breaks(trial: TrialRecord) -> dict[str, float]:
    """The constraints that a trial breaks, and by how much."""
    return {name: amount for name, amount in trial.violations.items() if amount > 0}


def _check_state(trial: TrialRecord) -> None:
    broken = breaks(trial)
    if broken or trial.state is TrialState.INFEASIBLE:
        names = ", ".join(f"{name} by {amount:.4g}" for name, amount in broken.items())
        raise PromotionError(
            f"trial {trial.trial_id} is infeasible: it breaks {names or 'a constraint'}; "
            "promote one that breaks none"
        )
    if trial.state is not TrialState.COMPLETE:
        why = f" ({trial.error})" if trial.error else ""
        raise PromotionError(f"trial {trial.trial_id} {_REASONS[trial.state]}{why}")


def _as_losses(trial: TrialRecord, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Values with the sign that makes less better."""
    signs = {"min": 1.0, "max": -1.0}
    return tuple(signs[o.direction] * trial.values[o.metric] for o in objectives)


def _compared(better: TrialRecord, trial: TrialRecord, objectives: Sequence[Objective]) -> str:
    return ", ".join(
        f"{o.metric} {better.values[o.metric]:.6g} against {trial.values[o.metric]:.6g}"
        for o in objectives
    )
