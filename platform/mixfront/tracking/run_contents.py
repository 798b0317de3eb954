"""Converts records to MLflow's params, metrics, tags and artifacts."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import yaml

from mixfront.installation.versions import installed_versions
from mixfront.records.scrub import scrub, scrub_text
from mixfront.records.store import SearchRecord, TrialRecord
from mixfront.records.trial_notes import trial_notes
from mixfront.tracking.run_update import STATUS_OF_SEARCH, STATUS_OF_TRIAL, Dataset

STATE_TAG = "mixfront.state"
FAMILY_TAG = "mixfront.family"
MODEL_TAG = "mixfront.model_url"
ERROR_TAG = "mixfront.error"
EXTENDED_TAG = "mixfront.extended"
DIGEST_TAG = "mixfront.dataset_digest"
RANK_TAG = "pareto.rank"
FRONT_FILE = "front.json"
MIXING = "mixing"  # folder of a trial's pictures, in storage and in the artifacts
DESCRIPTION_TAG = "mlflow.note.content"  # shown at the top of a run's page
MAX_PARAM, MAX_TAG, MAX_DIGEST = 6000, 5000, 36  # characters that MLflow accepts

_NOT_IN_KEYS = re.compile(r"[^\w\-. :/]")


def search_started(search: SearchRecord, space: Any, texts: Mapping[str, str]) -> dict[str, Any]:
    """The first update of a search's run.

    Args:
        search: The search.
        space: The search space as plain data; None = leave it out.
        texts: More artifacts: path -> content.
    """
    spec = scrub(search.spec)
    artifacts = {
        "spec.yaml": _yaml(spec),
        "environment.json": json.dumps(installed_versions(), indent=1),
    }
    if space is not None:
        artifacts["space.yaml"] = _yaml(scrub(space))
    return {
        "name": search.name,
        "params": as_params(_with_first_budget(_flat(spec), search)),
        "tags": {
            **search_ended(search)["tags"],
            **_environment_tags(),
            **_digest_tag(search),
            **_extension_tags(search),
        },
        "texts": artifacts | {path: scrub_text(text) for path, text in texts.items()},
        "dataset": _dataset(search),
        "status": STATUS_OF_SEARCH["running"],
    }


def search_ended(search: SearchRecord) -> dict[str, Any]:
    """The update of a search's run when its driver ends."""
    tags: dict[str, str] = {STATE_TAG: search.state}
    if search.ended_because:
        tags["mixfront.ended_because"] = as_tag(search.ended_because)
    return {"tags": tags, "status": STATUS_OF_SEARCH[search.state]}


def trial_started(search: SearchRecord, trial: TrialRecord) -> dict[str, Any]:
    """The update of a trial's run before training."""
    tags = {STATE_TAG: str(trial.state), FAMILY_TAG: trial.family, **_digest_tag(search)}
    return {
        "name": f"{trial.trial_id} {trial.family}",
        "params": as_params({"family": trial.family, **scrub(trial.config)}),
        "metrics": as_metrics(trial.costs),
        "tags": tags,
        "dataset": _dataset(search),
        "status": STATUS_OF_TRIAL[trial.state],
    }


def trial_ended(trial: TrialRecord) -> dict[str, Any]:
    """The update of a trial's run when it ends or is interrupted.

    Includes the pictures that its worker wrote to storage, if any, and notes on the trial.
    """
    tags = {STATE_TAG: str(trial.state), "mixfront.fidelity": f"{trial.fidelity:g}"}
    if trial.error:
        tags[ERROR_TAG] = as_tag(trial.error)
    if notes := trial_notes(trial):
        tags[DESCRIPTION_TAG] = as_tag("\n\n".join(notes))
    if trial.model_url:
        tags[MODEL_TAG] = as_tag(trial.model_url)
    if trial.violations:
        violated = {name: amount for name, amount in trial.violations.items() if amount > 0}
        tags["mixfront.violations"] = as_tag(json.dumps(violated))
    metrics = dict(trial.costs)
    if trial.state.is_finished:  # not final for an interrupted trial
        metrics["accelerator_seconds"] = trial.accelerator_seconds
    has_pictures = trial.state.is_finished and trial.started is not None
    return {
        "metrics": as_metrics(metrics),
        "tags": tags,
        "folders": {MIXING: f"trials/{trial.trial_id}/{MIXING}"} if has_pictures else {},
        "status": STATUS_OF_TRIAL[trial.state],
    }


def as_params(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as MLflow params: text with allowed keys and lengths."""
    return {_key(name): _text(value)[:MAX_PARAM] for name, value in values.items()}


def as_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """Values as MLflow metrics, with allowed keys."""
    return {_key(name): float(value) for name, value in values.items()}


def as_tag(text: str) -> str:
    """Text as a tag's value: scrubbed, and cut to MLflow's limit."""
    return scrub_text(text)[:MAX_TAG]


def _key(name: str) -> str:
    return _NOT_IN_KEYS.sub("_", name)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings to dotted keys, leaving out None."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif value is not None:
            flat[f"{prefix}{name}"] = value
    return flat


def _environment_tags() -> dict[str, str]:
    return {f"mixfront.env.{name}": version for name, version in installed_versions().items()}


def _with_first_budget(params: dict[str, Any], search: SearchRecord) -> dict[str, Any]:
    """Params with extended limits as they were first: MLflow refuses to change a param."""
    for extension in reversed(search.extensions):
        params |= extension.before
    return {key: value for key, value in params.items() if value is not None}


def _extension_tags(search: SearchRecord) -> dict[str, str]:
    if not search.extensions:
        return {}
    lines = [
        f"{datetime.fromtimestamp(extension.time, UTC):%Y-%m-%d %H:%M UTC}: {key} "
        f"{extension.before[key]} -> {limit}"
        for extension in search.extensions
        for key, limit in extension.after.items()
    ]
    return {EXTENDED_TAG: as_tag("; ".join(lines))}


def _digest_tag(search: SearchRecord) -> dict[str, str]:
    return {DIGEST_TAG: search.dataset_digest} if search.dataset_digest else {}


def _dataset(search: SearchRecord) -> Dataset | None:
    path = search.spec.get("data", {}).get("path")
    if not search.dataset_digest or not path:
        return None
    name = PurePosixPath(path).name or "data"
    return Dataset(
        name=name, digest=search.dataset_digest[:MAX_DIGEST], source=scrub_text(str(path))
    )
