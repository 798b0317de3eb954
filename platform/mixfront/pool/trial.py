"""The Ray Tune Trainable of a trial."""

from collections.abc import Mapping
from typing import Any

from ray import tune

from mixfront.pool.client import PoolClient
from mixfront.pool.trial_proxy import TrialProxy
from mixfront.training.request import TrialRequest


class LaneTrial(tune.Trainable):
    """One Tune trial, which trains on a leased lane. Use it with `reuse_actors=True`.

    `config` is {"pool": name of the pool's actor, "request": a TrialRequest as JSON}; results are
    `TrialReport.to_tune()`. A trial's failure is a result too, because Tune discards an actor
    that raises.
    """

    _proxy: TrialProxy | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Store the request; the first step leases a lane."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Give the last trial's lane back, aborting what still runs; begin the next trial."""
        self.cleanup()
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next evaluation."""
        assert self._proxy is not None
        return self._proxy.step().to_tune()

    def cleanup(self) -> None:
        """Give the lane back."""
        if self._proxy is not None:
            self._proxy.end()
            self._proxy = None

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:  # noqa: ARG002 - Tune's signature
        """Do nothing: the session writes the checkpoints."""
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Do nothing: `request.resume_from` says where to continue."""

    def _begin(self, config: Mapping[str, Any]) -> None:
        request = TrialRequest.model_validate(config["request"])
        self._proxy = TrialProxy(PoolClient(config["pool"]), request)
