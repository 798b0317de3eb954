"""Stores one JSON record per search and one per trial.

Records and the Optuna study are the source of truth; MLflow is updated from them.
"""

import json
import logging
import re
from collections.abc import Iterator
from copy import copy
from enum import StrEnum
from typing import Any, Literal, TypeVar

import fsspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mixfront.exceptions import SpecError, TrackingError, UnknownNameError
from mixfront.records.fence import Fence
from mixfront.records.retries import Retry, once
from mixfront.records.scrub import scrub
from mixfront.records.whole_files import create_file, is_local, replace_file
from mixfront.spec.objectives import Objective

R = TypeVar("R", bound=BaseModel)

logger = logging.getLogger(__name__)

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
    error: str | None = None
    attempts: int = 0  # worker groups that died during the trial
    started: float | None = None  # unix seconds
    ended: float | None = None
    accelerator_seconds: float = 0.0
    seconds: dict[str, float] = Field(default_factory=dict)  # phase -> sum: train, evaluate, ...

    @model_validator(mode="before")
    @classmethod
    def _read_version_0_1(cls, data: Any) -> Any:
        """Read records of version 0.1, where `model_url` was called `final`."""
        if isinstance(data, dict) and "final" in data:
            return {k: v for k, v in data.items() if k != "final"} | {"model_url": data["final"]}
        return data


class SearchRecord(BaseModel):
    """One search; written when it starts, and changed only by its driver."""

    model_config = ConfigDict(extra="forbid")

    search_id: str  # "<name>-<8 hex>", unique everywhere
    name: str  # unique in its storage
    spec: dict[str, Any]  # the resolved SearchSpec
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
        self.fence = fence
        self._fs, self._root = open_storage(self.url)
        self._retry: Retry = once

    def with_retries(self, retry: Retry) -> "RecordStore":
        """The same folder, where writes and `trials` are repeated by `retry` if they fail."""
        store = copy(self)
        store._retry = retry
        return store

    def fenced(self, fence: Fence) -> "RecordStore":
        """The same records, written only while the fence is open; else writes do nothing."""
        store = copy(self)
        store.fence = fence
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
        if not self.exists():
            storage = self._root.rsplit("/", 1)[0]
            raise UnknownNameError("search", self.name, list_searches(storage, self._fs))
        return self._read(SearchRecord, f"{self._root}/search.json")

    def save_search(self, record: SearchRecord) -> None:
        """Write or replace the search's record, without the passwords in its URIs."""
        self._write("search.json", _search_json(record))

    def trial(self, trial_id: str) -> TrialRecord:
        """Read one trial.

        Raises:
            UnknownNameError: If the search has no such trial.
        """
        path = f"{self._root}/trials/{trial_id}/record.json"
        if _TRIAL_ID.fullmatch(trial_id) is None or not self._fs.exists(path):
            raise UnknownNameError("trial", trial_id, [t.trial_id for t in self.trials()])
        return self._read_trial(path)

    def trials(self) -> list[TrialRecord]:
        """All trials, in the order of their numbers."""
        trials = self._retry(lambda: list(self._read_trials()))
        return sorted(trials, key=lambda trial: int(trial.trial_id))

    def save_trial(self, record: TrialRecord) -> None:
        """Write or replace one trial's record."""
        self._write(f"trials/{record.trial_id}/record.json", record.model_dump_json(indent=1))

    def trial_url(self, trial_id: str) -> str:
        """URL of a trial's folder."""
        return f"{self.url}/trials/{trial_id}"

    def _read_trials(self) -> Iterator[TrialRecord]:
        self._fs.invalidate_cache()
        for path in self._fs.glob(f"{self._root}/trials/*/record.json"):
            yield self._read_trial(path)

    def _read_trial(self, path: str) -> TrialRecord:
        record = self._read(TrialRecord, path)
        folder = path.split("/")[-2]
        if _TRIAL_ID.fullmatch(folder) is None or record.trial_id != folder:
            raise TrackingError(
                f"{path} says that it is of trial {record.trial_id!r}, but a trial's folder has "
                "its number; restore the record, or remove the folder"
            )
        return record

    def _read(self, kind: type[R], path: str) -> R:
        try:
            return kind.model_validate_json(self._fs.cat_file(path))
        except ValidationError:
            raise TrackingError(
                f"{path} is not a {kind.__name__} that this version of mixfront can read, because "
                "it is damaged or from another version; restore it or use that version"
            ) from None

    def _taken(self) -> SpecError:
        return SpecError(
            f"a search named {self.name!r} already exists in {self.url}; "
            f"choose another name, or resume it with `mixfront search resume {self.name}`"
        )

    def _write(self, name: str, text: str) -> None:
        """Replace a file atomically: a reader sees the old text or the new one."""
        self._retry(lambda: self._replace(name, text))

    def _replace(self, name: str, text: str) -> None:
        if not self.fence.is_open:  # asked again at each attempt: retries can outlive the lease
            logger.info("%s is not written, as this driver has lost the search", name)
            return
        path = f"{self._root}/{name}"
        self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        replace_file(self._fs, path, text.encode())


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
