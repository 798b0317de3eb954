"""What MLflow was told of a search, so that nothing is told twice."""

from collections.abc import Mapping

from mixfront.tracking.run_contents import FRONT_FILE, RANK_TAG, STATE_TAG
from mixfront.tracking.run_update import RunUpdate


def changes_page(update: RunUpdate, *, has_front: bool) -> bool:
    """Whether the interactive front is out of date: a new front, or the search's own status."""
    is_status = update.trial_id is None and update.status is not None
    return FRONT_FILE in update.texts or (is_status and has_front)


class History:
    """Grows with every update, of this driver and of those before it."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.page_seq = 0  # the last update that changed the interactive front
        self._front = ""
        self._metrics: set[tuple[str | None, int, str]] = set()
        self._ranks: dict[str, str] = {}
        self._states: dict[str, str] = {}

    def add(self, update: RunUpdate) -> None:
        """Remember an update."""
        self.last_seq = max(self.last_seq, update.seq)
        self._metrics.update((update.trial_id, update.step, key) for key in update.metrics)
        if changes_page(update, has_front=self.page_seq > 0):
            self.page_seq = update.seq
        self._front = update.texts.get(FRONT_FILE, self._front)
        if update.trial_id is not None:
            self._remember(self._ranks, update, RANK_TAG)
            self._remember(self._states, update, STATE_TAG)

    def new_metrics(
        self, trial_id: str | None, step: int, metrics: Mapping[str, float]
    ) -> dict[str, float]:
        """Those that no value was told of yet at this step; the first one stands."""
        return {
            key: value
            for key, value in metrics.items()
            if (trial_id, step, key) not in self._metrics
        }

    def is_new_front(self, text: str) -> bool:
        """Whether it differs from the front that was told last."""
        return text != self._front

    def new_ranks(self, ranks: Mapping[str, int]) -> dict[str, int]:
        """Those that differ from what was told."""
        return {
            trial: rank for trial, rank in ranks.items() if self._ranks.get(trial) != str(rank)
        }

    def state_of(self, trial_id: str) -> str | None:
        """The state that was told last; None if the trial was never spoken of."""
        return self._states.get(trial_id)

    @staticmethod
    def _remember(where: dict[str, str], update: RunUpdate, tag: str) -> None:
        if update.trial_id is not None and tag in update.tags:
            where[update.trial_id] = update.tags[tag]
