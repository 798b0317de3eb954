"""Configurations from the study, refused before they cost anything; outcomes back to it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import Trial
from optuna.trial import TrialState as OptunaState

from mixfront.data import Encoder
from mixfront.exceptions import SpecError
from mixfront.records.store import SearchRecord, TrialRecord, TrialState
from mixfront.search.cost_check import CostCheck, ModelCosts
from mixfront.search.study import (
    frozen_trial,
    num_enqueued,
    open_study,
    running_trial,
    set_num_enqueued,
)
from mixfront.spaces import Space, load_space
from mixfront.spec.constraints import Constraint
from mixfront.spec.objectives import Objective
from mixfront.spec.search_spec import SearchSpec

UNBUILDABLE = "buildable"  # the constraint that every model must meet
_EXTRA = "mixfront:extra"
_RUNG = "mixfront:rung:"

_TOLD_AS = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.INFEASIBLE: OptunaState.PRUNED,  # told as FAIL, TPE would learn nothing from it
    TrialState.FAILED: OptunaState.FAIL,
}


class Proposals:
    """The study of one search, in our terms.

    Args:
        study: Where configurations come from and outcomes go.
        space: What to sample.
        objectives: In the study's order.
        constraints: Those of the spec.
        costs: Counts a configuration's costs.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        objectives: Sequence[Objective],
        constraints: Mapping[str, Constraint],
        costs: CostCheck,
    ) -> None:
        self.study = study
        self.space = space
        self.objectives = tuple(objectives)
        self.constraints = tuple(constraints.values())
        self._costs = costs
        self._trials: dict[int, Trial] = {}

    @classmethod
    def open(cls, spec: SearchSpec, search: SearchRecord) -> "Proposals":
        """The proposals of a search that was prepared, from its study.

        Raises:
            SpecError: If Optuna cannot open the study, or no encoder was fitted.
        """
        if search.encoder is None:
            raise SpecError(f"search {search.name!r} has no fitted encoder; start a new search")
        study = open_study(spec, search.optuna_storage, search.search_id)
        costs = ModelCosts.of_spec(spec, Encoder.load(search.encoder).layout)
        return cls.of_spec(spec, study, load_space(spec.space), costs)

    @classmethod
    def of_spec(
        cls, spec: SearchSpec, study: optuna.Study, space: Space, costs: CostCheck
    ) -> "Proposals":
        """Proposals of a spec, its `search.enqueue` first.

        Raises:
            SpecError: If a configuration to enqueue does not fit the space.
        """
        proposals = cls(study, space, spec.objectives, spec.constraints, costs)
        proposals.enqueue(spec.search.enqueue)
        return proposals

    def enqueue(self, configs: Sequence[Mapping[str, Any]]) -> None:
        """Have these configurations tried first; the ones that the study took before are skipped.

        Raises:
            SpecError: If one does not fit the space.
        """
        found = [
            self.space.enqueue(config, f"search.enqueue[{position}]")
            for position, config in enumerate(configs)
        ]
        for position in range(num_enqueued(self.study), len(found)):
            item = found[position]
            self.study.enqueue_trial(item.params, user_attrs={_EXTRA: item.extra})
            set_num_enqueued(self.study, position + 1)

    def ask(self) -> TrialRecord:
        """The next configuration, as a record: RUNNING, or INFEASIBLE with the reason.

        Its constraints are in the study; an infeasible one has yet to be told.
        """
        trial = self.study.ask()
        self._trials[trial.number] = trial
        record = TrialRecord(trial_id=str(trial.number), family="", config={})
        try:
            record.config = self.space.suggest(trial) | trial.user_attrs.get(_EXTRA, {})
            record.costs = self._costs(record.config)
        except SpecError as problem:
            record.error = str(problem)
            record.violations = {UNBUILDABLE: 1.0}
        record.family = record.config.get("family") or str(trial.params.get("family", ""))
        known = [c for c in self.constraints if c.before_training]
        self._judge(record, known, record.costs)
        record.values = _objectives_in(self.objectives, record.costs)
        self._store_constraints(record)
        return record

    def judge_measured(self, record: TrialRecord) -> None:
        """Hold a finished trial's metrics against the constraints that only training can decide.

        Adds to `record.violations`; a trial that breaks one is INFEASIBLE, one whose metric is
        missing has FAILED.
        """
        measured = [c for c in self.constraints if not c.before_training]
        for constraint in measured:
            if constraint.metric not in record.metrics:
                record.state = TrialState.FAILED
                record.error = f"the constrained metric {constraint.metric!r} was not reported"
                return
        self._judge(record, measured, record.metrics)

    def tell(self, record: TrialRecord) -> None:
        """Tell the study how a trial ended; telling it again changes nothing.

        Raises:
            ValueError: If the record is not finished, or the study never asked for it.
        """
        number = int(record.trial_id)
        values = None
        if record.state is TrialState.COMPLETE:
            values = [record.values[objective.metric] for objective in self.objectives]
        self._store_constraints(record)
        self.study.tell(number, values, state=_TOLD_AS[record.state], skip_if_finished=True)
        self._trials.pop(number, None)

    def note_rung(self, trial_id: str, rung: float, values: Mapping[str, float]) -> None:
        """Keep what a trial had reached at a rung; the study remembers it beyond this driver."""
        if (trial := self._handle(int(trial_id))) is not None:
            trial.set_user_attr(f"{_RUNG}{rung:g}", dict(values))

    def rung_values(self, rung: float) -> dict[str, dict[str, float]]:
        """Trial id -> the objectives it had at a rung, of all trials that reached it."""
        key = f"{_RUNG}{rung:g}"
        trials = self.study.get_trials(deepcopy=False)
        return {str(t.number): t.user_attrs[key] for t in trials if key in t.user_attrs}

    def _judge(
        self, record: TrialRecord, known: Sequence[Constraint], values: Mapping[str, float]
    ) -> None:
        found = {c.metric: c.violation(values[c.metric]) for c in known if c.metric in values}
        record.violations |= found
        if any(amount > 0 for amount in record.violations.values()):
            record.state = TrialState.INFEASIBLE
            record.ended = time.time()
            record.error = record.error or self._reason(found, values)

    def _reason(self, found: Mapping[str, float], values: Mapping[str, float]) -> str:
        broken = [c for c in self.constraints if found.get(c.metric, 0.0) > 0]
        return "; ".join(f"{c.metric} is {values[c.metric]:.4g}, not {c}" for c in broken)

    def _store_constraints(self, record: TrialRecord) -> None:
        trial = self._handle(int(record.trial_id))
        if trial is None:
            return
        known = trial.constraints
        for key, amount in record.violations.items():
            if key not in known:
                trial.set_constraint(key, amount)

    def _handle(self, number: int) -> Trial | None:
        if number not in self._trials:
            trial = running_trial(self.study, number)
            if trial is None:
                return None
            self._trials[number] = trial
        return self._trials[number]

    def state_of(self, trial_id: str) -> OptunaState | None:
        """What the study holds of a trial, or None if it knows none of that number."""
        found = frozen_trial(self.study, int(trial_id))
        return None if found is None else found.state


def _objectives_in(
    objectives: Sequence[Objective], values: Mapping[str, float]
) -> dict[str, float]:
    return {o.metric: values[o.metric] for o in objectives if o.metric in values}
