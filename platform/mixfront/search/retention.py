"""Deletes the checkpoints and exports of trials that `keep:` does not keep."""

import logging
from collections.abc import Iterable

import fsspec

from mixfront.pareto.front import Front
from mixfront.records import RecordStore, TrialRecord
from mixfront.records.own_folder import OwnFolder
from mixfront.records.scrub import describe_error

logger = logging.getLogger(__name__)

EXPORT, CHECKPOINT = "final", "step-"  # folders of a trial; of checkpoints the beginning


class Retention:
    """Deletes what complete trials leave behind, once they are not worth keeping.

    Only complete trials lose files, so whatever could be resumed is kept. A trial that left the
    front, or the best N, never returns, since later trials can only push it further back.

    Args:
        store: The search's records; nothing is deleted while its fence is closed.
        keep: "all", "front" or "best:N".
    """

    def __init__(self, store: RecordStore, keep: str) -> None:
        self._store = store
        self._keep = keep
        self._own = OwnFolder(store.url)

    def apply(self, front: Front) -> list[str]:
        """Delete the files of trials that are not kept, and say so in their records.

        A trial whose files cannot be deleted is tried again next time, with its record unchanged.

        Returns:
            The ids of those trials.
        """
        if self._keep == "all" or not self._store.fence.is_open:
            return []
        kept = kept_trials(front, self._keep)
        candidates = (t for t in front.candidates if t.trial_id not in kept)
        return [t.trial_id for t in candidates if _has_files(t) and self._delete(t)]

    def _delete(self, trial: TrialRecord) -> bool:
        try:
            self._delete_folders(trial)
            trial.checkpoint, trial.model_url, trial.files_deleted = None, None, True
            self._store.save_trial(trial)
        except Exception as error:  # the search is worth more than the space
            logger.warning(
                "the files of trial %s were not deleted (%s)",
                trial.trial_id,
                describe_error(error),
            )
            return False
        return True

    def _delete_folders(self, trial: TrialRecord) -> None:
        url = self._own.url_of(self._store.trial_url(trial.trial_id), f"trial {trial.trial_id}")
        fs, root = fsspec.core.url_to_fs(url)
        fs.invalidate_cache()
        for path in fs.ls(root, detail=False):
            name = str(path).rstrip("/").rsplit("/", 1)[-1]
            if name == EXPORT or name.startswith(CHECKPOINT):
                fs.rm(str(path), recursive=True)


def kept_trials(front: Front, keep: str) -> set[str]:
    """Ids of the candidates that "front" or "best:N" keeps.

    The best are those of the lowest Pareto rank, and within a rank the best in the first
    objective.
    """
    if keep == "front":
        return {trial.trial_id for trial in front.members}
    first = front.objectives[0]

    def order(trial: TrialRecord) -> tuple[int, float, int]:
        value = first.minimised(trial.values[first.metric])
        return front.ranks[trial.trial_id], value, int(trial.trial_id)

    best: Iterable[TrialRecord] = sorted(front.candidates, key=order)
    return {trial.trial_id for trial in list(best)[: int(keep.removeprefix("best:"))]}


def _has_files(trial: TrialRecord) -> bool:
    return trial.checkpoint is not None or trial.model_url is not None
