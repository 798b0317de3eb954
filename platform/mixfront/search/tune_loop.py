"""Ray Tune's event loop, with our searcher and scheduler in it."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ray import tune

from mixfront.exceptions import LaneError
from mixfront.pool.trial import LaneTrial
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher

PROXY_CPUS = 0.01  # of Tune's trial actor, which only passes commands on to its lane

# Read by Ray Tune when it starts: our searcher validates results, our handler takes Ctrl-C, and
# nobody reads the files that its loggers would write.
_ENVIRONMENT = {
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_WARN_THRESHOLD_S": "60",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


def run_tune(searcher: LaneSearcher, scheduler: SearchScheduler, scratch: str) -> None:
    """Run Tune until the searcher has finished.

    Args:
        searcher: Proposes trials, and keeps their records.
        scheduler: Stops trials.
        scratch: URL of a folder that Tune may fill; nothing is ever restored from it, records
            and study are the truth.

    Raises:
        LaneError: If Tune gives up.
    """
    tuner = tune.Tuner(
        tune.with_resources(LaneTrial, {"cpu": PROXY_CPUS}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=f"driver-{time.time_ns()}", storage_path=scratch, verbose=0
        ),
    )
    try:
        with _environment(_ENVIRONMENT):
            tuner.fit()
    except tune.TuneError as problem:
        raise LaneError(
            f"Ray Tune gave up: {problem}; continue with `mixfront search resume`"
        ) from None


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
