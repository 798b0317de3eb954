"""What must hold for a search after any fault, as sentences about what does not.

Records and study agree; no completed trial is lost or run twice; no state is false; nothing is
left running; budgets are kept. MLflow and the spool are in `tracking_invariants.py`. Every check
returns an empty list if it holds.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState as OptunaState

from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.search.limits.budget import HOUR
from mixfront.spec.search_config import SearchConfig

_STUDY_STATES = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.INFEASIBLE: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
    TrialState.RUNNING: OptunaState.RUNNING,
    TrialState.INTERRUPTED: OptunaState.RUNNING,
}


@dataclass
class Journal:
    """What a test saw from outside while the search ran, and must still find at the end."""

    complete: dict[str, TrialRecord] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)  # ids of trials, as lanes began to train them
    restarted: list[str] = field(default_factory=list)  # of them, those that were complete then

    def observe(self, records: Iterable[TrialRecord]) -> None:
        """Note the trials that are complete at this moment; they must stay so."""
        for record in records:
            if record.state is TrialState.COMPLETE:
                self.complete.setdefault(record.trial_id, record.model_copy(deep=True))

    def start(self, trial_id: str) -> None:
        """Note that a lane begins to train a trial."""
        self.starts.append(trial_id)
        if trial_id in self.complete:
            self.restarted.append(trial_id)


@dataclass(frozen=True, kw_only=True)
class Running:
    """What runs on the machine and the cluster at one moment, by names that tell them apart."""

    processes: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    placement_groups: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Overshoot:
    """By how much a budget may be exceeded: trials that run when it is spent are stopped later."""

    accelerator_seconds: float = 0.0
    seconds: float = 0.0


NO_OVERSHOOT = Overshoot()


def check_study(records: Sequence[TrialRecord], study: optuna.Study) -> list[str]:
    """Records and study have the same trials, states and values."""
    frozen = {str(trial.number): trial for trial in study.get_trials(deepcopy=False)}
    waiting = {key for key, trial in frozen.items() if trial.state is OptunaState.WAITING}
    faults = [f"trial {key} is only in the study" for key in frozen if key not in _ids(records)]
    faults = [fault for fault in faults if fault.split()[1] not in waiting]
    for record in records:
        trial = frozen.get(record.trial_id)
        if trial is None:
            faults.append(f"trial {record.trial_id} is only in the records")
        elif trial.state is not _STUDY_STATES[record.state]:
            state = f"{trial.state.name} in the study"
            faults.append(f"trial {record.trial_id} is {record.state} in the records, {state}")
        elif record.state is TrialState.COMPLETE and trial.values != _values(record, study):
            told = f"{trial.values} in the study"
            faults.append(f"trial {record.trial_id} has {record.values} in the records, {told}")
    return faults


def check_states(search: SearchRecord, records: Sequence[TrialRecord]) -> list[str]:
    """No state says what is not so; call it when no driver is alive."""
    faults = []
    if search.state == "running":
        faults.append("the search is running in its record, but it has no driver")
    for record in records:
        name = f"trial {record.trial_id}"
        if record.state is TrialState.RUNNING:
            faults.append(f"{name} is running in its record, but the search has no driver")
        if record.state is TrialState.INTERRUPTED and search.state == "finished":
            faults.append(f"{name} is interrupted, but the search has finished")
        if record.state is TrialState.FAILED and not record.error:
            faults.append(f"{name} failed without a reason")
        if record.state is TrialState.INFEASIBLE and record.started is not None:
            faults.append(f"{name} is infeasible, but it was started")
        if record.state is TrialState.COMPLETE:
            faults += [f"{name} is complete, but {what}" for what in _incomplete(search, record)]
    return faults


def _incomplete(search: SearchRecord, record: TrialRecord) -> Iterator[str]:
    if record.fidelity < 1:
        yield f"was trained to {record.fidelity:g} only"
    if record.started is None:
        yield "was never started"
    for objective in search.objectives:
        value = record.values.get(objective.metric)
        if value is None or not math.isfinite(value):
            yield f"its objective {objective.metric!r} is {value}"


def check_journal(records: Sequence[TrialRecord], journal: Journal) -> list[str]:
    """Every trial that was seen complete still is, with the same values, and did not run again."""
    by_id = {record.trial_id: record for record in records}
    faults = [f"trial {trial_id} was complete and ran again" for trial_id in journal.restarted]
    for trial_id, seen in journal.complete.items():
        record = by_id.get(trial_id)
        if record is None:
            faults.append(f"trial {trial_id} was complete and is lost")
        elif (record.state, record.values) != (seen.state, seen.values):
            now = f"{record.state} with {record.values}"
            faults.append(f"trial {trial_id} was complete with {seen.values} and is {now}")
    return faults


def check_leftovers(before: Running, after: Running) -> list[str]:
    """Nothing runs that did not run before the search."""
    return [
        f"{kind} {name} is left"
        for kind, old, new in (
            ("process", before.processes, after.processes),
            ("actor", before.actors, after.actors),
            ("placement group", before.placement_groups, after.placement_groups),
        )
        for name in sorted(new - old)
    ]


def check_budget(
    limits: SearchConfig,
    records: Sequence[TrialRecord],
    *,
    seconds: float = 0.0,
    overshoot: Overshoot = Overshoot(),
) -> list[str]:
    """No more was spent than the spec allows.

    Args:
        limits: The spec's `search:` section.
        records: All trials.
        seconds: Wall time of all drivers.
        overshoot: What running trials may still have used.
    """
    started = [record for record in records if record.started is not None]
    faults = []
    if limits.trials is not None and len(started) > limits.trials:
        faults.append(f"{len(started)} trials were started on a budget of {limits.trials}")
    spent = sum(record.accelerator_seconds for record in started)
    hours = limits.accelerator_hours
    if hours is not None and spent > hours * HOUR + overshoot.accelerator_seconds:
        faults.append(f"{spent:g} accelerator seconds were spent on a budget of {hours * HOUR:g}")
    if limits.time is not None and seconds > limits.time + overshoot.seconds:
        faults.append(f"the search took {seconds:g} s on a budget of {limits.time:g}")
    return faults


def _ids(records: Sequence[TrialRecord]) -> set[str]:
    return {record.trial_id for record in records}


def _values(record: TrialRecord, study: optuna.Study) -> list[float]:
    names = study.metric_names or list(record.values)
    return [record.values.get(name, math.nan) for name in names]
