"""A trial of Ray Tune that waits, then reports; imports as little as the real one."""

import time
from typing import Any

from ray import tune

from mixfront.pool.report import TrialReport, TrialStatus

TRIAL_S = 2.0  # long enough that every lane gets an actor


class EmptyTrial(tune.Trainable):
    """A complete trial without a lane."""

    def setup(self, config: dict[str, Any]) -> None:
        """Store the trial's id."""
        self._trial_id = config["request"]["trial_id"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial in the same actor."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """The only report."""
        time.sleep(TRIAL_S)
        return TrialReport(
            trial_id=self._trial_id,
            status=TrialStatus.COMPLETE,
            number=1,
            fidelity=1.0,
            metrics={"auc": 0.7, "uauc": 0.6, "logloss": 0.5},
        ).to_tune()

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:  # noqa: ARG002 - Tune's
        """Do nothing."""
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Do nothing."""
