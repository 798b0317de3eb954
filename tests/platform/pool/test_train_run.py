"""The arguments of a Train run, and the summary of why its workers died."""

import os
import subprocess
import sys

import pytest

from mixfront.lanes import LaneSettings, TrialConfig
from mixfront.pool.train_run import RunPlan, death_text


def plan(**trial: float) -> RunPlan:
    config = TrialConfig.model_validate({"workers": 2, **trial})
    return RunPlan(lane=0, name="x", trial=config, storage="/x", settings=LaneSettings())


def test_a_lane_needs_workers_of_cpus_and_gpus() -> None:
    assert plan().needs() == "2 x (1 CPU)"
    assert plan(workers=1, gpus_per_worker=0.5).needs() == "1 x (1 CPU and 0.5 GPU)"


def test_deaths_are_summarized_in_one_line() -> None:
    training = RuntimeError('Traceback (most recent call last):\n  File "x"\nValueError: bad\n')
    crash = RuntimeError("A worker health check failed.\nWorker info: Worker(...)")
    text = death_text({0: training, 1: crash, 2: ValueError()})
    assert (
        text
        == "rank 0: ValueError: bad; rank 1: A worker health check failed.; rank 2: ValueError"
    )


def test_lane_timeouts_follow_the_collective_timeout() -> None:
    short = LaneSettings.for_trial(TrialConfig(collective_timeout_s=4, max_failures=1))
    assert (short.hung_after_s, short.noop_interval_s, short.heartbeat_interval_s) == (4, 1, 0.5)
    assert short.max_consecutive_deaths == 4
    assert LaneSettings.for_trial(TrialConfig()).noop_interval_s == 10


@pytest.mark.parametrize("name", ["actor", "lane", "train_run", "trial"])
def test_what_a_lane_runs_beside_its_workers_is_light(name: str) -> None:
    """The pool's actor, the lane's, Ray Train's controller and Ray Tune's trial, per process."""
    heavy = "('torch', 'optuna', 'mlflow', 'deepspeed')"
    code = f"import sys, mixfront.pool.{name}; print([m for m in {heavy} if m in sys.modules])"
    output = subprocess.check_output(
        [sys.executable, "-c", code], text=True, env={**os.environ, "RAY_TRAIN_V2_ENABLED": "1"}
    )
    assert output == "[]\n"
