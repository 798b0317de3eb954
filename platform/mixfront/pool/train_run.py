"""The Ray Train run behind a lane: its controller and worker group."""

import os
from dataclasses import dataclass, replace
from typing import Any, final

from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig, UserCallback
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from mixfront.lanes import LaneSettings, TrialConfig
from mixfront.lanes.memory import KEEP_FREED_MEMORY
from mixfront.lanes.torch_backend import TorchBackendConfig
from mixfront.lanes.train_loop import LaneConfig, lane_loop
from mixfront.records.arrow_storage import arrow_storage

_ENVIRONMENT = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # 2 s by default
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # An extra actor per run that we do not need: the pool watches for nodes that drain.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # A lane that waits for resources keeps its place in the queue for this long; 60 s by default.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
}
_INIT_TIMEOUT_S = 120  # default process group, while workers import; they shorten it later


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """The arguments of a lane's Train run."""

    lane: int
    name: str  # of the lane's actor, unique in the cluster
    trial: TrialConfig
    storage: str  # URL that every node can reach, for Ray Train's bookkeeping
    settings: LaneSettings
    factory: bytes | None = None  # see LaneConfig

    def for_lane(self, number: int) -> "RunPlan":
        """The same plan for another lane."""
        name = f"{self.name.rpartition('-')[0]}-{number}"
        return replace(self, lane=number, name=name)

    def needs(self) -> str:
        """The resources of a lane as text, such as "2 x (1 CPU)"."""
        trial = self.trial
        gpus = f" and {trial.gpus_per_worker:g} GPU" if trial.gpus_per_worker else ""
        return f"{trial.workers} x ({trial.cpus_per_worker:g} CPU{gpus})"


@final
class _LaneTrainer(DataParallelTrainer):
    """Runs the workers without Ray's torch trainer, and without two actors that Ray adds per run.

    One would serve Ray Data, which lanes do not use. The other would remove the placement group of
    a dead controller; the lane does so itself (`placement_groups.remove_leaked`).
    """

    def _create_default_callbacks(self) -> list[Any]:
        unused = (DatasetsCallback, PlacementGroupCleanerCallback)
        callbacks: list[Any] = super()._create_default_callbacks()
        return [callback for callback in callbacks if not isinstance(callback, unused)]


class DeathReporter(UserCallback):
    """Reports to the mailbox why a worker group died; runs in the Train controller."""

    def __init__(self, mailbox: Any) -> None:
        self._mailbox = mailbox

    def after_exception(
        self,
        run_context: Any,  # noqa: ARG002 - Ray passes it by name
        worker_exceptions: dict[int, Exception],
    ) -> None:
        """Report one dead worker group."""
        self._mailbox.group_died.remote(death_text(worker_exceptions))


def death_text(errors: dict[int, Exception]) -> str:
    """Why the workers of a group died, in one line."""
    return "; ".join(f"rank {rank}: {_error_line(error)}" for rank, error in errors.items())


def _error_line(error: Exception) -> str:
    """The line that names the error; Ray's messages end in tracebacks and reprs."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    has_traceback = any(line.startswith("Traceback") for line in lines)
    return (lines[-1] if has_traceback else lines[0])[:300]


def set_train_environment() -> None:
    """Set the variables that Ray Train reads in the process that calls `fit`."""
    os.environ.update(_ENVIRONMENT)


def run_lane(plan: RunPlan, mailbox: Any) -> None:
    """Run a lane; blocks until its workers quit.

    Raises:
        ray.exceptions.RayActorError: If the controller dies.
        ray.train.TrainingFailedError: If Ray Train gives up.
    """
    trial = plan.trial
    lane = LaneConfig(
        mailbox=mailbox,
        settings=plan.settings,
        collective_timeout_s=trial.collective_timeout_s,
        recycle_after=trial.recycle_after,
        factory=plan.factory,
    )
    _LaneTrainer(
        lane_loop,
        train_loop_config={"lane": lane},
        scaling_config=_scaling(trial),
        backend_config=TorchBackendConfig(
            backend="nccl" if trial.gpus_per_worker else "gloo",
            timeout_s=max(_INIT_TIMEOUT_S, int(trial.collective_timeout_s)),
        ),
        run_config=RunConfig(**_run_options(plan, mailbox)),
    ).fit()


def _run_options(plan: RunPlan, mailbox: Any) -> dict[str, Any]:
    unlimited: dict[str, Any] = {"max_failures": -1, "controller_failure_limit": -1}
    filesystem, path = arrow_storage(plan.storage)
    return {
        "name": f"lane-{plan.lane}",
        "storage_path": path,
        "storage_filesystem": filesystem,
        "failure_config": FailureConfig(**unlimited),
        "callbacks": [DeathReporter(mailbox)],
        "logging_config": LoggingConfig(log_level="CRITICAL"),
        "worker_runtime_env": {"env_vars": _worker_environment(plan.trial)},
    }


def _scaling(trial: TrialConfig) -> ScalingConfig:
    resources = {"CPU": trial.cpus_per_worker}
    if trial.gpus_per_worker:
        resources["GPU"] = trial.gpus_per_worker
    return ScalingConfig(
        num_workers=trial.workers,
        use_gpu=trial.gpus_per_worker > 0,
        resources_per_worker=resources,
    )


def _worker_environment(trial: TrialConfig) -> dict[str, str]:
    if trial.gpus_per_worker:
        return {}
    return {"DS_ACCELERATOR": "cpu", **KEEP_FREED_MEMORY}
