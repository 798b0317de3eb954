"""The checkpoint that a trial resumes from: the newest that is as it was written.

Nothing is loaded before all ranks have agreed. Each verifies its share of the files, so that all
of them together read every byte once more than loading does.
"""

import logging
from enum import IntEnum

from mixfront.exceptions import DamagedError, TrialError
from mixfront.training.checkpoints.checkpoint import Checkpoints
from mixfront.training.ranks import Ranks

logger = logging.getLogger(__name__)


class _Condition(IntEnum):
    """Of a checkpoint; that of the rank with the highest counts."""

    INTACT = 0
    DAMAGED = 1
    UNUSABLE = 2  # of another trial, or the storage fails


def intact_checkpoint(checkpoints: Checkpoints, url: str, ranks: Ranks) -> str | None:
    """The given checkpoint if it is intact, else the newest intact one before it; a collective.

    Args:
        checkpoints: Of the trial.
        url: The checkpoint to resume from.
        ranks: The ranks that resume.

    Returns:
        A URL, the same on all ranks; None if no checkpoint is intact.

    Raises:
        DamagedError: On all ranks, if a damaged checkpoint is not in the trial's own folder.
        TrialError: On all ranks, if a checkpoint belongs to another trial or cannot be read.
    """
    candidate: str | None = url
    while candidate is not None and not _is_intact(checkpoints, candidate, ranks):
        candidate = _one_before(checkpoints, candidate, ranks)
    if candidate != url and ranks.is_first:
        place = f"from {candidate}" if candidate else "from the beginning"
        logger.warning("the checkpoint %s is damaged; the trial resumes %s", url, place)
    return candidate


def _is_intact(checkpoints: Checkpoints, url: str, ranks: Ranks) -> bool:
    condition = _Condition.INTACT
    error: TrialError | None = None
    try:
        checkpoints.verify(url)
    except DamagedError as problem:
        condition, error = _Condition.DAMAGED, problem
        logger.warning("cannot resume from a checkpoint: %s", problem)
    except TrialError as problem:
        condition, error = _Condition.UNUSABLE, problem
    worst = ranks.highest(condition)
    if worst == _Condition.UNUSABLE or (
        worst == _Condition.DAMAGED and checkpoints.step_of(url) is None
    ):
        raise error or TrialError(f"another rank cannot use the checkpoint {url}; see its log")
    return worst == _Condition.INTACT


def _one_before(checkpoints: Checkpoints, url: str, ranks: Ranks) -> str | None:
    """The newest complete checkpoint before a damaged one, as rank 0 sees the folder."""
    step = checkpoints.step_of(url)
    assert step is not None
    earlier = checkpoints.complete_before(step) if ranks.is_first else []
    (newest,) = ranks.broadcast([earlier[-1] if earlier else -1])
    return checkpoints.url_of(int(newest)) if newest >= 0 else None
