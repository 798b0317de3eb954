"""What has been logged to MLflow for a search, so that nothing is logged twice."""

from collections.abc import Mapping

from mixfront.tracking.refused import REFUSED_TAG
from mixfront.tracking.run_contents import FRONT_FILE, RANK_TAG, STATE_TAG
from mixfront.tracking.run_update import RunUpdate


def changes_page(update: RunUpdate, *, has_front: bool) -> bool:
    """Whether an update makes the pages stale.

    That is a new front, another refused configuration, or the status of a search with a page.
    """
    is_status = update.trial_id is None and update.status is not None
    is_new = FRONT_FILE in update.texts or REFUSED_TAG in update.tags
    return is_new or (is_status and has_front)


class History:
    """All updates so far, of this driver and of earlier ones."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.has_gaps = False  # whether updates are missing, delivered or not
        self.page_seq = 0  # the last update that changed a page
        self.num_refused = 0  # rows of the table of refused configurations
        self._front = ""
        self._metrics: set[tuple[str | None, int, str]] = set()
        self._ranks: dict[str, str] = {}
        self._states: dict[str, str] = {}

    def add(self, update: RunUpdate) -> None:
        """Add an update; they must come in order."""
        self.reach(update.seq - 1)
        self.last_seq = update.seq
        self._metrics.update((update.trial_id, update.step, key) for key in update.metrics)
        if changes_page(update, has_front=self.page_seq > 0):
            self.page_seq = update.seq
        self._front = update.texts.get(FRONT_FILE, self._front)
        self.num_refused = int(update.tags.get(REFUSED_TAG, self.num_refused))
        if update.trial_id is not None:
            self._store_tag(self._ranks, update, RANK_TAG)
            self._store_tag(self._states, update, STATE_TAG)

    def reach(self, seq: int) -> None:
        """Count the updates up to `seq` as missing if they have not been added."""
        if seq > self.last_seq:
            self.has_gaps = True
            self.last_seq = seq

    def new_metrics(
        self, trial_id: str | None, step: int, metrics: Mapping[str, float]
    ) -> dict[str, float]:
        """The metrics without a logged value at this step; the first value is kept."""
        return {
            key: value
            for key, value in metrics.items()
            if (trial_id, step, key) not in self._metrics
        }

    def is_new_front(self, text: str) -> bool:
        """Whether a front differs from the last one logged."""
        return text != self._front

    def new_ranks(self, ranks: Mapping[str, int]) -> dict[str, int]:
        """The ranks that differ from those logged."""
        return {
            trial: rank for trial, rank in ranks.items() if self._ranks.get(trial) != str(rank)
        }

    def state_of(self, trial_id: str) -> str | None:
        """A trial's last logged state, if any."""
        return self._states.get(trial_id)

    @staticmethod
    def _store_tag(by_trial: dict[str, str], update: RunUpdate, tag: str) -> None:
        if update.trial_id is not None and tag in update.tags:
            by_trial[update.trial_id] = update.tags[tag]
