"""A trial as Ray Tune sees it."""

from collections.abc import Mapping
from typing import Any

from ray import tune

from mixfront.pool.client import PoolClient
from mixfront.pool.trial_proxy import TrialProxy
from mixfront.training.request import TrialRequest


class LaneTrial(tune.Trainable):
    """One Tune trial: a proxy that has a leased lane train. Use it with `reuse_actors=True`.

    `config` is {"pool": name of the pool's actor, "request": a TrialRequest as JSON}; results are
    `TrialReport.to_tune()`. A trial's own failure is a result too: Tune throws away an actor that
    raised.
    """

    _proxy: TrialProxy | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Note what to train; the lane is leased with the first step."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Give the last trial's lane back, aborting what it still runs; begin the next trial."""
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

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:  # noqa: ARG002 - Tune's
        """Nothing: checkpoints are the session's own."""
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: `request.resume_from` says where to continue."""

    def _begin(self, config: Mapping[str, Any]) -> None:
        request = TrialRequest.model_validate(config["request"])
        self._proxy = TrialProxy(PoolClient(config["pool"]), request)
