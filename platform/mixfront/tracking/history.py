"""What MLflow was told of a search, so that nothing is told twice."""

from collections.abc import Mapping

from mixfront.tracking.run_contents import FRONT_FILE, RANK_TAG, STATE_TAG
from mixfront.tracking.run_update import RunUpdate


class History:
    """Grows with every note, of this driver and of those before it."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.front_seq = 0  # the last note that brought a front
        self._front = ""
        self._metrics: set[tuple[str | None, int, str]] = set()
        self._ranks: dict[str, str] = {}
        self._states: dict[str, str] = {}

    def add(self, note: RunUpdate) -> None:
        """Remember a note."""
        self.last_seq = max(self.last_seq, note.seq)
        self._metrics.update((note.trial_id, note.step, key) for key in note.metrics)
        if FRONT_FILE in note.texts:
            self.front_seq, self._front = note.seq, note.texts[FRONT_FILE]
        if note.trial_id is not None:
            self._remember(self._ranks, note, RANK_TAG)
            self._remember(self._states, note, STATE_TAG)

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
    def _remember(where: dict[str, str], note: RunUpdate, tag: str) -> None:
        if note.trial_id is not None and tag in note.tags:
            where[note.trial_id] = note.tags[tag]
