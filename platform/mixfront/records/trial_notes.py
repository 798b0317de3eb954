"""What a trial's metrics say about its training, in sentences for its page and the terminal."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from mixfront.records.store import TrialRecord, TrialState

# |W - W0|_F / sqrt(m) of the mixing matrices: a row of a doubly stochastic matrix has norm 1 or
# less, so below this, learning has changed what a block gets from the others by under 1 %.
STILL = 0.01


def trial_notes(trial: TrialRecord) -> list[str]:
    """Notes on a complete trial; empty if there is nothing to say."""
    return list(_still_mixing(trial)) if trial.state is TrialState.COMPLETE else []


def _still_mixing(trial: TrialRecord) -> Iterator[str]:
    for kind in ("global", "local"):
        pattern = f"mixing/{kind}_distance_layer*"
        moved = [value for name, value in trial.metrics.items() if fnmatchcase(name, pattern)]
        if moved and max(moved) < STILL:
            yield (
                f"the {kind} mixing never moved: its matrices are within {max(moved):.2g} of "
                f"where they started, which is less than {STILL}; raise "
                "training.optimizer.mixing_lr_factor, or start with less extreme logits"
            )
