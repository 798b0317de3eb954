"""Promotes a trial: registers its model, checks the scores, and moves the alias."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mixfront.exceptions import PromotionError
from mixfront.records.own_folder import OwnFolder
from mixfront.records.store import RecordStore, SearchRecord, TrialRecord
from mixfront.registry import packing
from mixfront.registry.alias import Alias
from mixfront.registry.gate import promotable
from mixfront.registry.server import check_name, registry, silenced
from mixfront.registry.signature import as_frame

if TYPE_CHECKING:
    from mlflow import MlflowClient

TOLERANCE = 1e-6  # maximum difference between the trained and the registered model's scores


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The result of a promotion."""

    model: str
    version: str
    alias: str
    search_id: str
    trial_id: str
    previous: str | None  # the version that had the alias before
    rows_checked: int
    largest_difference: float


@dataclass(frozen=True)
class _Exported:
    """A trial's exported model, on this machine."""

    folder: Path
    sample: pa.Table
    scores: NDArray[np.float64]

    @property
    def scores_digest(self) -> str:
        return hashlib.sha256((self.folder / "sample_scores.json").read_bytes()).hexdigest()


def promote(
    store: RecordStore,
    trial_id: str,
    *,
    model: str,
    alias: str = "champion",
    uri: str,
    say: Callable[[str], None] = lambda _line: None,
    code: Path = packing.SERVED_MODEL,
) -> Promotion:
    """Register a trial's model and give it the alias, if it passes the gate.

    The alias moves last, after the model has been loaded back from the registry and has given
    the same scores as the trained one. Otherwise, the version is kept with the tag
    `mixfront.refused`, and the alias does not move.

    Args:
        store: The search's records.
        trial_id: The trial.
        model: Name of the registered model.
        alias: The alias that marks the version in use.
        uri: MLflow's tracking URI.
        say: Called with one sentence after each step.
        code: The file that MLflow runs to load the model.

    Raises:
        UnknownNameError: If there is no such search or trial.
        PromotionError: If the trial may not be promoted, or the registered model scores
            differently.
        TrackingError: If MLflow cannot be reached or refuses.
    """
    check_name("model name", model)
    check_name("alias", alias)
    trial, search = promotable(store, trial_id), store.search()
    say(f"Trial {trial_id} ({trial.family}) is complete, feasible and not dominated.")
    with tempfile.TemporaryDirectory(prefix="mixfront-promote-") as work, registry(uri) as client:
        _check_run(client, trial)
        exported = _fetch(store, trial, Path(work))
        model_id = packing.log_model(
            run_id=str(trial.run_id),
            final=exported.folder,
            sample=exported.sample,
            work=Path(work),
            code=code,
        )
        say("Logged its weights, its encoder and a wheel of mixfront.")
        lineage = _lineage(search, trial, exported)
        version = packing.register(model_id, model, lineage, exported.sample.schema).version
        say(f"Registered it as version {version} of the model {model!r}.")
        difference = _check_scores(client, model, str(version), exported)
        rows = exported.sample.num_rows
        say(
            f"Loaded back from the registry, it scores {rows} rows the same, "
            f"to within {difference:.1e}."
        )
        previous = Alias(client, model, alias).move_to(str(version))
    say(f"Version {version} now has the alias {alias!r}" + _instead_of(previous))
    return Promotion(
        model=model,
        version=str(version),
        alias=alias,
        search_id=search.search_id,
        trial_id=trial_id,
        previous=previous,
        rows_checked=rows,
        largest_difference=difference,
    )


def _instead_of(previous: str | None) -> str:
    return f", which version {previous} had before." if previous else "."


def _check_run(client: "MlflowClient", trial: TrialRecord) -> None:
    from mlflow.exceptions import MlflowException

    try:
        if trial.run_id is not None:
            client.get_run(trial.run_id)
            return
    except MlflowException as problem:
        if problem.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    raise PromotionError(
        f"MLflow has no run {trial.run_id} of trial {trial.trial_id}; set "
        "MLFLOW_TRACKING_URI to the server that the search logged to"
    )


def _fetch(store: RecordStore, trial: TrialRecord, work: Path) -> _Exported:
    """Copy the exported model to this machine, as MLflow cannot read every fsspec URL."""
    fs, root = fsspec.core.url_to_fs(trial.model_url)
    OwnFolder(store.url).files(root, f"a file of the exported model of trial {trial.trial_id}")
    folder = work / "model"
    try:
        fs.get(root.rstrip("/") + "/", f"{folder}/", recursive=True)
        sample = pq.read_table(folder / "sample.parquet")
        scores = json.loads((folder / "sample_scores.json").read_text())["scores"]
    except OSError as problem:
        raise PromotionError(
            f"the exported model of trial {trial.trial_id} at {trial.model_url} cannot be read: "
            f"{problem.strerror or problem}; train it again with `mixfront reproduce`"
        ) from None
    return _Exported(folder, sample, np.asarray(scores, dtype=np.float64))


def _lineage(search: SearchRecord, trial: TrialRecord, exported: _Exported) -> dict[str, str]:
    """Tags of the version: its origin and its objective values."""
    tags = {
        "mixfront.search_id": search.search_id,
        "mixfront.search": search.name,
        "mixfront.trial_id": trial.trial_id,
        "mixfront.family": trial.family,
        "mixfront.run_id": str(trial.run_id),
        "mixfront.dataset_digest": search.dataset_digest or "unknown",
        "mixfront.version": metadata.version("mixfront"),
        "mixfront.scores_digest": exported.scores_digest,
        "mixfront.model_url": str(trial.model_url),
    }
    return tags | {f"mixfront.value.{name}": repr(value) for name, value in trial.values.items()}


def _check_scores(client: "MlflowClient", model: str, version: str, exported: _Exported) -> float:
    """Load the version back, score the sample, and return the largest difference.

    Raises:
        PromotionError: If it cannot be loaded or scores differently; the version is then tagged.
    """
    try:
        scores = _registered_scores(model, version, exported)
        difference = float(np.max(np.abs(scores - exported.scores)))
        reason = f"its scores differ by {difference:.3g}, more than {TOLERANCE:g}"
    except Exception as problem:  # the alias must not move, whatever the model raises
        difference = float("nan")
        reason = f"loading and scoring it failed: {problem!r}"
    if difference <= TOLERANCE:
        return difference
    client.set_model_version_tag(model, version, "mixfront.refused", reason[:5000])
    raise PromotionError(
        f"version {version} of {model!r} was refused, and the alias was not moved: {reason}"
    )


def _registered_scores(model: str, version: str, exported: _Exported) -> NDArray[np.float64]:
    with silenced():
        import mlflow

        loaded = mlflow.pyfunc.load_model(f"models:/{model}/{version}")
        scores = np.asarray(loaded.predict(as_frame(exported.sample)), dtype=np.float64)
    if scores.shape != exported.scores.shape:
        raise ValueError(f"{scores.shape} scores instead of {exported.scores.shape}")
    return scores
