"""Stores one JSON record per search and one per trial.

Records and the Optuna study are the source of truth; MLflow is updated from them.
"""

import json
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from enum import StrEnum
from typing import Any, Literal

import fsspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mixfront.exceptions import SpecError, TrackingError, UnknownNameError
from mixfront.records.fence import Fence
from mixfront.records.record_files import RecordFiles, RecordsInMemory, trial_file
from mixfront.records.retries import Retry
from mixfront.records.scrub import scrub
from mixfront.records.whole_files import create_file, is_local
from mixfront.spec.objectives import Objective

_NO_FENCE = Fence()
_TRIAL_ID = re.compile(r"0|[1-9][0-9]{0,17}")


class TrialState(StrEnum):
    """State of a trial. RUNNING and INTERRUPTED trials continue when a search is resumed."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"  # trained to full fidelity, every objective finite
    PRUNED = "pruned"  # stopped early on purpose
    FAILED = "failed"
    INFEASIBLE = "infeasible"  # violates a constraint

    @property
    def is_finished(self) -> bool:
        """Whether the state is final."""
        return self not in (TrialState.RUNNING, TrialState.INTERRUPTED)


class TrialRecord(BaseModel):
    """One trial. `trial_id` is the Optuna number as a string."""

    # Metrics may be NaN, which JSON lacks; pydantic's default, null, could not be read back.
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings")

    trial_id: str
    family: str
    config: dict[str, Any]  # flat: model keys, and training keys such as "optimizer.lr"
    state: TrialState = TrialState.RUNNING
    fidelity: float = 0.0  # share of all steps of all passes
    values: dict[str, float] = Field(default_factory=dict)  # the objectives, last evaluation
    metrics: dict[str, float] = Field(default_factory=dict)  # all metrics, last evaluation
    costs: dict[str, float] = Field(default_factory=dict)  # params, flops, ...
    violations: dict[str, float] = Field(default_factory=dict)  # by constraint; > 0 = violated
    run_id: str | None = None  # of the MLflow run
    checkpoint: str | None = None  # URL of the latest one
    model_url: str | None = None  # of the exported model (training.export), once COMPLETE
    files_deleted: bool = False  # checkpoint and exported model, by the spec's `keep:`
    error: str | None = None
    attempts: int = 0  # worker groups that died during the trial
    started: float | None = None  # unix seconds
    ended: float | None = None
    accelerator_seconds: float = 0.0
    seconds: dict[str, float] = Field(default_factory=dict)  # phase -> sum: train, evaluate, ...

    @property
    def is_refused(self) -> bool:
        """Whether it violates a constraint that was checked before training."""
        return self.state is TrialState.INFEASIBLE and self.started is None

    @model_validator(mode="before")
    @classmethod
    def _read_version_0_1(cls, data: Any) -> Any:
        """Read records of version 0.1, where `model_url` was called `final`."""
        if isinstance(data, dict) and "final" in data:
            return {k: v for k, v in data.items() if k != "final"} | {"model_url": data["final"]}
        return data


class Extension(BaseModel):
    """A change of a search's budget after its start; the values are those of the spec."""

    model_config = ConfigDict(extra="forbid")

    time: float  # unix seconds
    before: dict[str, int | float | None]  # by key, such as "search.trials"; None = no limit
    after: dict[str, int | float | None]


class SearchRecord(BaseModel):
    """One search; written when it starts, and changed only by its driver."""

    model_config = ConfigDict(extra="forbid")

    search_id: str  # "<name>-<8 hex>", unique everywhere
    name: str  # unique in its storage
    spec: dict[str, Any]  # the resolved SearchSpec, with the budget as extended
    objectives: list[Objective]
    reference_point: list[float]  # in the objectives' order; costs in log10; fixed at the start
    optuna_storage: str
    tracking_uri: str
    experiment: str
    run_id: str | None = None  # the MLflow parent run
    encoder: str | None = None  # URL of the fitted encoder's folder
    space: str | None = None  # URL of the space as it was at the start
    dataset_digest: str | None = None
    state: Literal["running", "interrupted", "finished", "failed"] = "running"
    ended_because: str | None = None  # one sentence
    versions: dict[str, str] = Field(default_factory=dict)  # of packages, when it started
    created: float = 0.0
    extensions: list[Extension] = Field(default_factory=list)  # oldest first


def open_storage(url: str) -> tuple[Any, str]:
    """The file system of a path or fsspec URL, and the path on it.

    Raises:
        SpecError: If the URL cannot be opened.
    """
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as problem:  # no such file system or archive
        raise SpecError(f"cannot open the storage {url!r}: {problem}; check the URL") from None
    return fs, path


class RecordStore:
    """The folder of one search, `<storage>/<name>/`, on any fsspec URL.

    search.json                   SearchRecord
    data_files.json               name of each of the data set's files -> size and footer
    encoder-<8 hex>/              the fitted encoder; the digits are those of the search's id
    space-<8 hex>.yaml            the space, with what it includes
    trials/<id>/record.json       TrialRecord
    trials/<id>/step-<n>/         checkpoints
    trials/<id>/final/            the exported model
    trials/<id>/mixing/           pictures of mixing matrices, copied to MLflow at the end
    spool/                        updates for MLflow

    Args:
        storage: Where searches are kept.
        name: The search's name.
        fence: Whether this program may write; always, if it does not say.
    """

    def __init__(self, storage: str, name: str, *, fence: Fence = _NO_FENCE) -> None:
        self.url = f"{storage.rstrip('/')}/{name}"
        self.name = name
        self._fs, self._root = open_storage(self.url)
        self._files = RecordFiles(self._fs, self._root, fence)

    @property
    def fence(self) -> Fence:
        """Whether this program may write."""
        return self._files.fence

    def with_retries(self, retry: Retry) -> "RecordStore":
        """The same folder, where writes and `trials` are repeated by `retry` if they fail."""
        return self._with(retry=retry)

    def fenced(self, fence: Fence) -> "RecordStore":
        """The same records, written only while the fence is open; else writes do nothing."""
        return self._with(fence=fence)

    def in_memory(self) -> "RecordStore":
        """The same records, of which `trials` reads the storage once; for their only writer."""
        return self._with(memory=RecordsInMemory())

    def _with(self, **changes: Any) -> "RecordStore":
        store = copy(self)
        store._files = replace(self._files, **changes)
        return store

    def exists(self) -> bool:
        """Whether a search of this name exists."""
        return bool(self._fs.exists(f"{self._root}/search.json"))

    def create(self, record: SearchRecord) -> None:
        """Write the record of a new search; of several writers at once, one succeeds.

        Raises:
            SpecError: If the name is taken.
        """
        self.refuse_existing()
        self._fs.makedirs(self._root, exist_ok=True)
        try:
            create_file(self._fs, f"{self._root}/search.json", _search_json(record).encode())
        except FileExistsError:
            # A retried put fails although its first attempt, whose response was lost, succeeded.
            if is_local(self._fs) or self.search().search_id != record.search_id:
                raise self._taken() from None

    def refuse_existing(self) -> None:
        """Check that the name is free.

        Raises:
            SpecError: If a search of this name exists.
        """
        if self.exists():
            raise self._taken()

    def search(self) -> SearchRecord:
        """Read the search's record.

        Raises:
            UnknownNameError: If there is no such search.
        """
        try:
            return self._files.read(SearchRecord, "search.json")
        except (FileNotFoundError, NotADirectoryError):
            storage = self._root.rsplit("/", 1)[0]
            names = list_searches(storage, self._fs)
        raise UnknownNameError("search", self.name, names)

    def save_search(self, record: SearchRecord) -> None:
        """Write or replace the search's record, without the passwords in its URIs."""
        self._files.write("search.json", _search_json(record))

    def data_files(self) -> dict[str, str] | None:
        """The data set's files when the search started; None if they were not recorded."""
        try:  # not `exists`, which is false where fsspec cannot look
            content = self._fs.cat_file(f"{self._root}/data_files.json")
        except FileNotFoundError:
            return None
        return dict(json.loads(content))

    def save_data_files(self, footers: Mapping[str, str]) -> None:
        """Write or replace the list of the data set's files: name -> size and footer."""
        self._files.write("data_files.json", json.dumps(dict(footers), indent=0))

    def trial(self, trial_id: str) -> TrialRecord:
        """Read one trial.

        Raises:
            UnknownNameError: If the search has no such trial.
        """
        if _TRIAL_ID.fullmatch(trial_id) is not None:
            try:
                record = self._files.read(TrialRecord, trial_file(trial_id))
                return self._own(trial_id, record)
            except (FileNotFoundError, NotADirectoryError):
                pass
        raise UnknownNameError("trial", trial_id, [t.trial_id for t in self.trials()])

    def trials(self) -> list[TrialRecord]:
        """All trials, in the order of their numbers."""
        records = self._files.read_trials(TrialRecord).items()
        trials = [self._own(folder, record) for folder, record in records]
        return sorted(trials, key=lambda trial: int(trial.trial_id))

    def save_trial(self, record: TrialRecord) -> None:
        """Write or replace one trial's record."""
        self._files.write_trial(record.trial_id, record.model_dump_json(indent=1))

    def trial_url(self, trial_id: str) -> str:
        """URL of a trial's folder."""
        return f"{self.url}/trials/{trial_id}"

    def _own(self, folder: str, record: TrialRecord) -> TrialRecord:
        """The record in a trial's folder, if it is that trial's."""
        if _TRIAL_ID.fullmatch(folder) is None or record.trial_id != folder:
            raise TrackingError(
                f"{self._root}/{trial_file(folder)} says that it is of trial {record.trial_id!r}, "
                "but a trial's folder has its number; restore the record, or remove the folder"
            )
        return record

    def _taken(self) -> SpecError:
        return SpecError(
            f"a search named {self.name!r} already exists in {self.url}; "
            f"choose another name, or resume it with `mixfront search resume {self.name}`"
        )


def _search_json(record: SearchRecord) -> str:
    """The record as JSON, without the passwords in its URIs."""
    return json.dumps(scrub(record.model_dump(mode="json")), indent=1)


def list_searches(storage: str, fs: Any = None) -> list[str]:
    """Names of all searches in a storage, which are their folders' names."""
    if fs is None:
        fs, storage = open_storage(storage)
    fs.invalidate_cache()
    paths = fs.glob(f"{storage}/*/search.json")
    return sorted(str(path).split("/")[-2] for path in paths)
