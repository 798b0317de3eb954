"""Records whose locations are checked: each is in the search's own folder, where it is now."""

from typing import Any

from mixfront.records.own_folder import OwnFolder
from mixfront.records.store import RecordStore, SearchRecord, TrialRecord

_SQLITE = "sqlite:///"


def own_search(store: RecordStore, search: SearchRecord) -> SearchRecord:
    """The record of a search with every location in its folder, also if the folder was moved.

    Raises:
        StorageError: If the encoder is not in the search's folder.
    """
    folder = _folder(store, search)
    changes: dict[str, Any] = {"optuna_storage": _study_url(folder, search.optuna_storage)}
    if search.encoder is not None:
        changes["encoder"] = folder.url_of(search.encoder, f"the encoder of {search.name!r}")
    if search.space is not None:
        changes["space"] = folder.url_of(search.space, f"the space of {search.name!r}")
    space = search.spec.get("space")
    if isinstance(space, str) and (moved := folder.moved(space)) is not None:
        changes["spec"] = {**search.spec, "space": moved}
    return search.model_copy(update=changes)


def own_trial(store: RecordStore, search: SearchRecord, trial: TrialRecord) -> TrialRecord:
    """The record of a trial with its checkpoint and model in the search's folder.

    Raises:
        StorageError: If one of them is elsewhere.
    """
    folder = _folder(store, search)
    changes = {}
    if trial.checkpoint is not None:
        what = f"the checkpoint of trial {trial.trial_id}"
        changes["checkpoint"] = folder.url_of(trial.checkpoint, what)
    if trial.model_url is not None:
        what = f"the exported model of trial {trial.trial_id}"
        changes["model_url"] = folder.url_of(trial.model_url, what)
    return trial.model_copy(update=changes)


def _folder(store: RecordStore, search: SearchRecord) -> OwnFolder:
    storage = search.spec.get("storage")
    recorded = f"{storage.rstrip('/')}/{search.name}" if isinstance(storage, str) else None
    return OwnFolder(store.url, recorded)


def _study_url(folder: OwnFolder, url: str) -> str:
    """The URL of a study; a SQLite file in the search's folder moves with it."""
    if not url.startswith(_SQLITE):
        return url
    moved = folder.moved(url.removeprefix(_SQLITE))
    return url if moved is None else _SQLITE + moved
