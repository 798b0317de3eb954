"""Ray Tune and Ray Train write to S3 with our file system, and with its credentials only."""

import os
import subprocess
import sys

import pytest
from tests.cluster.services.object_store import ObjectStore

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

# In a process of its own, as Ray reads RAY_TRAIN_V2_ENABLED when it is imported.
TUNE = """
from ray.train._internal.storage import StorageContext
from mixfront.search.tune_loop import run_config

run = run_config("s3://searches/ray/tune")
StorageContext(run.storage_path, "driver", storage_filesystem=run.storage_filesystem)
"""
TRAIN = """
import pickle
from mixfront.lanes import LaneSettings, TrialConfig
from mixfront.pool.train_run import RunPlan, _run_options, set_train_environment
set_train_environment()
from ray.train import RunConfig
from ray.train.v2._internal.execution.storage import StorageContext

storage = "s3://searches/ray/lanes"
plan = RunPlan(
    lane=0, name="x", trial=TrialConfig(), storage=storage, settings=LaneSettings()
)
options = {k: v for k, v in _run_options(plan, None).items() if k.startswith(("name", "storage"))}
run = pickle.loads(pickle.dumps(RunConfig(**options)))
StorageContext(run.storage_path, run.name, storage_filesystem=run.storage_filesystem)
"""


@pytest.mark.parametrize(("program", "place"), [(TUNE, "tune/driver"), (TRAIN, "lanes/lane-0")])
def test_ray_uses_the_keys_of_our_file_system(
    program: str, place: str, objects: ObjectStore
) -> None:
    """The keys are in fsspec's variables only, where pyarrow does not look for them."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment |= {
        "FSSPEC_S3_KEY": objects.environment["AWS_ACCESS_KEY_ID"],
        "FSSPEC_S3_SECRET": objects.secret_key,
        "FSSPEC_S3_ENDPOINT_URL": objects.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    names = objects.file_system().ls(f"searches/ray/{place}", detail=False)
    assert any("validate_storage" in name for name in names)


def test_ray_uses_the_keys_of_the_environment(objects: ObjectStore) -> None:
    """As before, with the endpoint of the environment too."""
    environment = {**os.environ, **objects.environment}
    subprocess.run([sys.executable, "-c", TUNE], env=environment, timeout=200, check=True)
    assert objects.file_system().exists("searches/ray/tune/driver")
