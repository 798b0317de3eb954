"""Sends updates to MLflow, in as few requests as its limits allow."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import fsspec

from mixfront.exceptions import StorageError, TrackingError
from mixfront.records.own_folder import OwnFolder
from mixfront.tracking.client import artifact_location, connect, find_experiment, short_reason
from mixfront.tracking.logged_metrics import LoggedMetrics
from mixfront.tracking.run_update import Dataset, RunStatus, RunUpdate

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

T = TypeVar("T")

logger = logging.getLogger(__name__)

SEARCH_TAG = "mixfront.search_id"
TRIAL_TAG = "mixfront.trial_id"
KIND_TAG = "mixfront.kind"  # "search" or "trial"
# MLflow 3 shows an experiment without a kind as a GenAI experiment, with traces and judges.
KIND_OF_EXPERIMENT = {"mlflow.experimentKind": "custom_model_development"}
PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
_NOTHING = LoggedMetrics(())
# Per `log_batch`; MLflow accepts 1,000 entries of all kinds together.
MAX_METRICS, MAX_PARAMS, MAX_TAGS = 800, 100, 100
# Errors that a retry cannot fix; all others may be temporary.
_PERMANENT_ERRORS = frozenset(
    {
        "INVALID_PARAMETER_VALUE",
        "BAD_REQUEST",
        "RESOURCE_DOES_NOT_EXIST",
        "RESOURCE_ALREADY_EXISTS",
        "INVALID_STATE",
    }
)


class MlflowSender:
    """Delivers the updates of one search; used by a single thread.

    Args:
        uri: Tracking URI.
        experiment: Name of the experiment, which is created if it does not exist.
        search_id: Id of the search.
        runs: Known runs: trial id ("" = the search) -> run id.
        on_run: Called for each run that is found or created, with the trial id (None = the
            search) and the run id.
        storage: The search's folder as a path or fsspec URL; `RunUpdate.folders` are in it.
        logged: What the runs may have beyond what the spool says.
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        search_id: str,
        runs: Mapping[str, str],
        on_run: Callable[[str | None, str], None],
        storage: str = "",
        logged: LoggedMetrics = _NOTHING,
    ) -> None:
        self.runs = dict(runs)
        self._uri = uri
        self._experiment = experiment
        self._search_id = search_id
        self._on_run = on_run
        self._storage = storage
        self._logged = logged
        self._client: MlflowClient | None = None
        self._experiment_id: str | None = None

    def deliver(self, updates: Sequence[RunUpdate]) -> None:
        """Send updates to MLflow; safe to repeat after any failure.

        Updates that MLflow refuses permanently are logged and dropped.

        Raises:
            Exception: Any error of the client while the server cannot be used.
        """
        for group in _by_run(updates):
            self._deliver_or_drop(group)

    def show_page(self, path: str, content: str) -> None:
        """Replace an artifact of the search's run."""
        if run_id := self.runs.get(""):
            self._get_client().log_text(run_id, content, path)

    def _deliver_or_drop(self, updates: Sequence[RunUpdate]) -> None:
        try:
            self._deliver_to_run(updates)
        except Exception as error:
            if not _is_permanent(error):
                raise
            reason = short_reason(error)
            run = "the search" if updates[0].trial_id is None else f"trial {updates[0].trial_id}"
            logger.warning("MLflow refused %d updates of %s: %s", len(updates), run, reason)

    def _deliver_to_run(self, updates: Sequence[RunUpdate]) -> None:
        client, run_id = self._get_client(), self._run_id(updates[0])
        self._log_batches(run_id, updates)
        for path, text in _merged(update.texts for update in updates).items():
            client.log_text(run_id, text, path)
        for path, folder in _merged(update.folders for update in updates).items():
            self._log_folder(run_id, path, folder)
        datasets = [update.dataset for update in updates if update.dataset is not None]
        if datasets:
            self._log_dataset(run_id, datasets[-1])
        statuses = [update for update in updates if update.status is not None]
        if statuses:
            self._set_status(run_id, statuses[-1])

    def _log_folder(self, run_id: str, path: str, folder: str) -> None:
        """Log the files of a folder in storage, if it exists and is in the search's folder."""
        own, what = OwnFolder(self._storage), f"the folder of the artifact {path!r}"
        try:
            files = own.files(own.url_of(f"{self._storage}/{folder}", what), what)
        except StorageError as error:
            logger.warning("%s", error)
            return
        if not files:
            return
        fs, _ = fsspec.core.url_to_fs(self._storage)
        with TemporaryDirectory() as copies:
            for file in files:
                (Path(copies) / file.rsplit("/", 1)[-1]).write_bytes(fs.cat_file(file))
            self._get_client().log_artifacts(run_id, copies, path)

    def _set_status(self, run_id: str, update: RunUpdate) -> None:
        if update.status is RunStatus.RUNNING:
            self._get_client().update_run(run_id, status=str(update.status))
        else:
            self._get_client().set_terminated(run_id, str(update.status), update.time_ms)

    def _log_dataset(self, run_id: str, dataset: Dataset) -> None:
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag

        source = json.dumps({"uri": dataset.source})
        entity = MlflowDataset(dataset.name, dataset.digest, "parquet", source)
        role = InputTag("mlflow.data.context", "training")
        self._get_client().log_inputs(run_id, [DatasetInput(entity, [role])])

    def _log_batches(self, run_id: str, updates: Sequence[RunUpdate]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        metrics = [
            Metric(key, value, update.time_ms, update.step)
            for update in updates
            for key, value in update.metrics.items()
        ]
        metrics = self._logged.without(self._get_client(), run_id, metrics)
        params = [Param(*entry) for entry in _merged(update.params for update in updates).items()]
        tags = [RunTag(*entry) for entry in _merged(update.tags for update in updates).items()]
        batches = zip_longest(
            _chunks(metrics, MAX_METRICS),
            _chunks(params, MAX_PARAMS),
            _chunks(tags, MAX_TAGS),
            fillvalue=(),
        )
        for batch in batches:
            self._get_client().log_batch(run_id, *batch)

    def _run_id(self, update: RunUpdate) -> str:
        key = update.trial_id or ""
        if key not in self.runs:
            self.runs[key] = self._find_run(update.trial_id) or self._create_run(update)
            self._notify(update.trial_id, self.runs[key])
        return self.runs[key]

    def _notify(self, trial_id: str | None, run_id: str) -> None:
        try:
            self._on_run(trial_id, run_id)
        except Exception:  # must not be mistaken for an MLflow error
            logger.exception("the on_run callback failed")

    def _find_run(self, trial_id: str | None) -> str | None:
        """Find an existing run, whose id was lost with a driver or a response."""
        condition = f"tags.`{TRIAL_TAG}` = '{trial_id}'"
        if trial_id is None:
            condition = f"tags.`{KIND_TAG}` = 'search'"
        runs = self._get_client().search_runs(
            [self._experiment_key()],
            f"tags.`{SEARCH_TAG}` = '{self._search_id}' and {condition}",
            max_results=1,
        )
        return str(runs[0].info.run_id) if runs else None

    def _create_run(self, update: RunUpdate) -> str:
        identity = {SEARCH_TAG: self._search_id, KIND_TAG: "search"}
        if update.trial_id is not None:
            parent = self._run_id(RunUpdate(seq=0, time_ms=update.time_ms))
            identity |= {KIND_TAG: "trial", TRIAL_TAG: update.trial_id, PARENT_TAG: parent}
        tags = {**update.tags, **identity}
        run = self._get_client().create_run(
            self._experiment_key(), start_time=update.time_ms, tags=tags, run_name=update.name
        )
        return str(run.info.run_id)

    def _experiment_key(self) -> str:
        if self._experiment_id is None:
            existing = find_experiment(self._get_client(), self._experiment)
            self._experiment_id = self._adopt(existing) if existing else self._create_experiment()
        return self._experiment_id

    def _adopt(self, experiment: "Experiment") -> str:
        """Use an existing experiment; its kind is only set if it has none."""
        for key, value in KIND_OF_EXPERIMENT.items():
            if key not in experiment.tags:
                self._get_client().set_experiment_tag(experiment.experiment_id, key, value)
        return str(experiment.experiment_id)

    def _create_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        location = artifact_location(self._uri)
        try:
            return self._get_client().create_experiment(
                self._experiment, location, KIND_OF_EXPERIMENT
            )
        except MlflowException:  # another search may have created it meanwhile
            experiment = find_experiment(self._get_client(), self._experiment)
            if experiment is None:
                raise
            return str(experiment.experiment_id)

    def _get_client(self) -> "MlflowClient":
        if self._client is None:
            self._client = connect(self._uri)
        return self._client


def _is_permanent(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return str(error.error_code) in _PERMANENT_ERRORS
    # Connections and files may recover; an invalid update or a bug of ours will not.
    return not isinstance(error, OSError | TrackingError)


def _by_run(updates: Sequence[RunUpdate]) -> list[list[RunUpdate]]:
    groups: dict[str | None, list[RunUpdate]] = {}
    for update in updates:
        groups.setdefault(update.trial_id, []).append(update)
    return list(groups.values())


def _merged(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {key: value for part in parts for key, value in part.items()}


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
