"""Gets configurations from the study, checks them before training, and reports the results."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import Trial
from optuna.trial import TrialState as OptunaState

from mixfront.data import Encoder
from mixfront.exceptions import SpecError
from mixfront.records.fence import Fence
from mixfront.records.store import SearchRecord, TrialRecord, TrialState
from mixfront.search.cost_check import CostCheck, ModelCosts
from mixfront.search.recorded_space import recorded_space
from mixfront.search.study import (
    EXTRA,
    RUNG,
    enqueue,
    num_enqueued,
    one_transaction,
    open_study,
    running_numbers,
    running_trial,
    set_elapsed_seconds,
)
from mixfront.spaces import Space
from mixfront.spec.constraints import Constraint
from mixfront.spec.objectives import Objective
from mixfront.spec.search_spec import SearchSpec

UNBUILDABLE = "buildable"  # name of the implicit constraint that the model can be built
_NO_FENCE = Fence()

ELAPSED_EVERY_S = 5.0

_TOLD_AS = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.INFEASIBLE: OptunaState.PRUNED,  # TPE learns nothing from FAIL
    TrialState.FAILED: OptunaState.FAIL,
}


class Proposals:
    """Asks the study of one search for configurations, and tells it the results.

    Args:
        study: The Optuna study.
        space: The space to sample.
        objectives: In the study's order.
        constraints: The spec's constraints, by metric.
        costs: Counts a configuration's costs.
        fence: While it is closed, results are not stored.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        objectives: Sequence[Objective],
        constraints: Mapping[str, Constraint],
        costs: CostCheck,
        fence: Fence = _NO_FENCE,
    ) -> None:
        self.study = study
        self.space = space
        self.objectives = tuple(objectives)
        self.constraints = tuple(constraints.values())
        self._costs = costs
        self._fence = fence
        self._trials: dict[int, Trial] = {}
        self._answered = set(running_numbers(study))  # RUNNING trials that someone knows of
        self._ask_failed = False
        self._rungs: dict[float, dict[str, dict[str, float]]] = {}
        self._saved_elapsed = -math.inf

    @classmethod
    def open(cls, spec: SearchSpec, search: SearchRecord, fence: Fence = _NO_FENCE) -> "Proposals":
        """The proposals of a prepared search, from its study.

        Raises:
            SpecError: If Optuna cannot open the study, no encoder was fitted, or the space has
                changed since the search started.
        """
        if search.encoder is None:
            raise SpecError(f"search {search.name!r} has no fitted encoder; start a new search")
        study = open_study(spec, search.optuna_storage, search.search_id)
        costs = ModelCosts.of_spec(spec, Encoder.load(search.encoder).layout)
        return cls.of_spec(spec, study, recorded_space(search, spec, study), costs, fence)

    @classmethod
    def of_spec(
        cls,
        spec: SearchSpec,
        study: optuna.Study,
        space: Space,
        costs: CostCheck,
        fence: Fence = _NO_FENCE,
    ) -> "Proposals":
        """The proposals of a spec, `search.enqueue` first.

        Raises:
            SpecError: If an enqueued configuration does not fit the space.
        """
        if spec.search.sampler == "mixfront":
            # Here, because it loads scikit-learn: 1 s and 60 MB for a search without need of it.
            from mixfront.search.sampler.exact_costs import exact_cost_sampler

            study.sampler = exact_cost_sampler(spec, space, costs)
        proposals = cls(study, space, spec.objectives, spec.constraints, costs, fence)
        proposals.enqueue(spec.search.enqueue)
        return proposals

    def enqueue(self, configs: Sequence[Mapping[str, Any]]) -> None:
        """Try these configurations first; skip those already in the study.

        Raises:
            SpecError: If a configuration does not fit the space.
        """
        items = [
            self.space.enqueue(config, f"search.enqueue[{position}]")
            for position, config in enumerate(configs)
        ]
        for item in items[num_enqueued(self.study) :]:
            enqueue(self.study, item.params, {EXTRA: item.extra})

    def ask(self) -> TrialRecord:
        """The next configuration, as a record: RUNNING, or INFEASIBLE with the reason.

        The study gets it with its constraints, in one transaction. Pass an infeasible record to
        `tell`. If storage fails, the next call continues with the same trial.
        """
        with one_transaction(self.study):  # first, as it reads again what may have been written
            trial = self._unanswered() if self._ask_failed else None
            self._ask_failed = True
            record = self._describe(trial or self.study.ask())
        self._ask_failed = False
        self._answered.add(int(record.trial_id))
        return record

    def _unanswered(self) -> Trial | None:
        """The trial of an `ask` that failed, if the study has it: it would stay RUNNING."""
        numbers = (n for n in running_numbers(self.study) if n not in self._answered)
        number = next(numbers, None)
        return None if number is None else self._handle(number)

    def _describe(self, trial: Trial) -> TrialRecord:
        """Sample a trial's configuration; a second call gets the same values."""
        self._trials[trial.number] = trial
        record = TrialRecord(trial_id=str(trial.number), family="", config={})
        try:
            record.config = self.space.suggest(trial) | trial.user_attrs.get(EXTRA, {})
            record.costs = self._costs(record.config)
        except SpecError as error:
            record.error = str(error)
            record.violations = {UNBUILDABLE: 1.0}
        record.family = record.config.get("family") or str(trial.params.get("family", ""))
        counted = [c for c in self.constraints if c.before_training]
        self._check(record, counted, record.costs)
        record.values = _objectives_in(self.objectives, record.costs)
        self._store_constraints(record)
        return record

    def check_measured(self, record: TrialRecord) -> None:
        """Check a finished trial's metrics against the constraints that need training.

        Adds to `record.violations`. A trial that violates a constraint is INFEASIBLE; a trial
        that lacks a constrained metric has FAILED.
        """
        measured = [c for c in self.constraints if not c.before_training]
        for constraint in measured:
            if constraint.metric not in record.metrics:
                record.state = TrialState.FAILED
                record.error = f"the constrained metric {constraint.metric!r} was not reported"
                return
        self._check(record, measured, record.metrics)

    def tell(self, record: TrialRecord) -> None:
        """Tell the study how a trial ended; a second call changes nothing.

        Raises:
            ValueError: If the record is not finished, or the study has no such trial.
        """
        if not self._fence.is_open:
            return
        number = int(record.trial_id)
        values = None
        if record.state is TrialState.COMPLETE:
            values = [record.values[objective.metric] for objective in self.objectives]
        self._store_constraints(record)
        self.study.tell(number, values, state=_TOLD_AS[record.state], skip_if_finished=True)
        self._trials.pop(number, None)
        self._answered.discard(number)

    def save_elapsed(self, seconds: float) -> None:
        """Store the search's wall time so far, for the time budget of later drivers.

        Only every ELAPSED_EVERY_S, which a killed driver loses: it costs a commit, and every
        evaluation of every lane calls it.
        """
        if self._fence.is_open and seconds >= self._saved_elapsed + ELAPSED_EVERY_S:
            set_elapsed_seconds(self.study, seconds)
            self._saved_elapsed = seconds

    def record_rung(self, trial_id: str, rung: float, values: Mapping[str, float]) -> None:
        """Store a trial's objectives at a rung in the study, where later drivers find them."""
        if self._fence.is_open and (trial := self._handle(int(trial_id))) is not None:
            reached = self.rung_values(rung)
            trial.set_user_attr(f"{RUNG}{rung:g}", dict(values))
            reached[trial_id] = dict(values)

    def rung_values(self, rung: float) -> dict[str, dict[str, float]]:
        """Trial id -> objectives at a rung, for all trials that reached it.

        Read from the study once, as only the search's driver writes it.
        """
        if rung not in self._rungs:
            key = f"{RUNG}{rung:g}"
            trials = self.study.get_trials(deepcopy=False)
            reached = {str(t.number): t.user_attrs[key] for t in trials if key in t.user_attrs}
            self._rungs[rung] = reached
        return self._rungs[rung]

    def _check(
        self, record: TrialRecord, constraints: Sequence[Constraint], values: Mapping[str, float]
    ) -> None:
        violations = {
            c.metric: c.violation(values[c.metric]) for c in constraints if c.metric in values
        }
        record.violations |= violations
        if any(amount > 0 for amount in record.violations.values()):
            record.state = TrialState.INFEASIBLE
            record.ended = time.time()
            record.error = record.error or self._reason(violations, values)

    def _reason(self, violations: Mapping[str, float], values: Mapping[str, float]) -> str:
        violated = [c for c in self.constraints if violations.get(c.metric, 0.0) > 0]
        return "; ".join(f"{c.metric} is {values[c.metric]:.4g}, not {c}" for c in violated)

    def _store_constraints(self, record: TrialRecord) -> None:
        trial = self._handle(int(record.trial_id)) if record.violations else None
        if trial is None:
            return
        stored = trial.constraints
        for key, amount in record.violations.items():
            if key not in stored:
                trial.set_constraint(key, amount)

    def _handle(self, number: int) -> Trial | None:
        if number not in self._trials:
            trial = running_trial(self.study, number)
            if trial is None:
                return None
            self._trials[number] = trial
        return self._trials[number]


def _objectives_in(
    objectives: Sequence[Objective], values: Mapping[str, float]
) -> dict[str, float]:
    return {o.metric: values[o.metric] for o in objectives if o.metric in values}
