"""Runs Ray Tune with our searcher and scheduler."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ray
from ray import tune
from ray.tune.execution import class_cache

from mixfront.exceptions import LaneError
from mixfront.pool.trial import LaneTrial
from mixfront.records.arrow_storage import arrow_storage
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher

_SHARE = 0.0001  # Ray's smallest unit; Tune refuses actors that take no resource at all

# Ray Tune reads these when it starts. Our searcher validates results, our handler catches Ctrl-C,
# and the files that Tune's loggers would write are not used.
_ENVIRONMENT = {
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_WARN_THRESHOLD_S": "60",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


def run_tune(
    searcher: LaneSearcher,
    scheduler: SearchScheduler,
    scratch: str,
    trial: type[tune.Trainable] = LaneTrial,
) -> None:
    """Run Tune until the searcher has finished.

    Args:
        searcher: Proposes trials and keeps their records.
        scheduler: Stops trials.
        scratch: URL of a folder for Tune's files; nothing is ever restored from it, since records
            and study are the source of truth.
        trial: What Tune runs for a trial; benchmarks of Tune alone have their own.

    Raises:
        LaneError: If Tune fails.
    """
    tuner = tune.Tuner(
        tune.with_resources(trial, _on_this_node()),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=run_config(scratch),
    )
    leave_out_keys()
    try:
        with _environment(_ENVIRONMENT):
            tuner.fit()
    except tune.TuneError as error:
        raise LaneError(
            f"Ray Tune failed: {error}; resume the search with `mixfront search resume`"
        ) from None


def run_config(scratch: str) -> tune.RunConfig:
    """Where Tune writes its files."""
    filesystem, path = arrow_storage(scratch)
    return tune.RunConfig(
        name=f"driver-{time.time_ns()}",
        storage_path=path,
        storage_filesystem=filesystem,
        verbose=0,
    )


def _on_this_node() -> dict[str, float]:
    """Resources of Tune's trial actor, which only forwards commands to its lane.

    It takes no CPU, since lanes may take all of them, and runs and dies with the driver's node.
    """
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]  # untyped in Ray
    return {"cpu": 0, f"node:{address}": _SHARE}


def leave_out_keys() -> None:
    """Keep Tune from giving its actors the driver's S3 keys in their runtime environment.

    Ray writes runtime environments to its logs. The actors have the keys from the job's private
    file or from their node.
    """
    keys = {name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")}
    class_cache.ENV_VARS_TO_PROPAGATE.difference_update(keys)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
