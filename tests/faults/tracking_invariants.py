"""MLflow and the spool after any fault: every run once, every step once, states as recorded."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run

from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.tracking.run_contents import STATE_TAG
from mixfront.tracking.run_update import STATUS_OF_TRIAL, RunUpdate
from mixfront.tracking.sender import KIND_TAG, SEARCH_TAG, TRIAL_TAG
from mixfront.tracking.spool import Spool


def check_spool(store: RecordStore) -> list[str]:
    """Numbers of updates are unique, and a metric has one value at a step of a trial."""
    updates = Spool(f"{store.url}/spool").replay()
    counts = Counter(update.seq for update in updates)
    faults = [f"update {seq} is {n} times in the spool" for seq, n in counts.items() if n > 1]
    return faults + _doubled(_steps(updates), "the spool")


def _steps(updates: Iterable[RunUpdate]) -> Iterator[tuple[str, str, int, float]]:
    for update in updates:
        for key, value in update.metrics.items():
            yield update.trial_id or "the search", key, update.step, value


def check_mlflow(
    search: SearchRecord, records: Sequence[TrialRecord], client: MlflowClient
) -> list[str]:
    """MLflow has one run per search and started trial, with its state and each step once."""
    runs = _runs(search, client)
    parents = runs.pop("", [])
    faults = [] if len(parents) == 1 else [f"MLflow has {len(parents)} runs of the search"]
    by_id = {record.trial_id: record for record in records}
    faults += [f"MLflow has a run of the unknown trial {key}" for key in runs if key not in by_id]
    for record in records:
        of_trial = runs.get(record.trial_id, [])
        if len(of_trial) != 1 and (of_trial or record.started is not None):
            faults.append(f"MLflow has {len(of_trial)} runs of trial {record.trial_id}")
        for run in of_trial:
            faults += _check_run(record, run, client)
    return faults


def _check_run(record: TrialRecord, run: Run, client: MlflowClient) -> list[str]:
    name, faults = f"trial {record.trial_id}", []
    expected = str(STATUS_OF_TRIAL[record.state])
    if run.data.tags.get(STATE_TAG) != str(record.state) or run.info.status != expected:
        state = f"{run.data.tags.get(STATE_TAG)} ({run.info.status}) in MLflow"
        faults.append(f"{name} is {record.state} in the records, {state}")
    for key, value in record.metrics.items() if record.state is TrialState.COMPLETE else ():
        logged = run.data.metrics.get(key)
        if logged != value and not (math.isnan(value) and logged is not None):
            faults.append(f"{name} has {key} {value} in the records, {logged} in MLflow")
    entries = [
        (record.trial_id, key, metric.step, metric.value)
        for key in run.data.metrics
        for metric in client.get_metric_history(run.info.run_id, key)
    ]
    return faults + _doubled(entries, "MLflow")


def _doubled(entries: Iterable[tuple[str, str, int, float]], place: str) -> list[str]:
    values: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for trial, key, step, value in entries:
        values[trial, key, step].append(value)
    return [
        f"{key} of {trial} has {len(found)} values at step {step} in {place}"
        for (trial, key, step), found in values.items()
        if len(found) > 1
    ]


def _runs(search: SearchRecord, client: MlflowClient) -> dict[str, list[Run]]:
    """Runs by trial id; "" = the search."""
    runs: dict[str, list[Run]] = defaultdict(list)
    experiment = client.get_experiment_by_name(search.experiment)
    if experiment is None:
        return runs
    condition = f"tags.`{SEARCH_TAG}` = '{search.search_id}'"
    for run in client.search_runs([experiment.experiment_id], condition, max_results=5000):
        is_search = run.data.tags.get(KIND_TAG) == "search"
        runs["" if is_search else run.data.tags.get(TRIAL_TAG, "?")].append(run)
    return runs
