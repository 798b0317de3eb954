"""Shared by the integration tests: one local Ray cluster for the whole session."""

import logging
from collections.abc import Iterator

import pytest
import ray

_QUIET = {
    "RAY_AUTH_MODE": "disabled",  # otherwise Ray writes a token into the home directory
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
}
CLUSTER_CPUS = 16  # logical CPUs: lanes mostly wait for messages and use few cores


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """A local Ray cluster without log output; yields its address and sets RAY_ADDRESS to it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _QUIET.items():
            patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        ray.init(
            num_cpus=CLUSTER_CPUS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=256 * 2**20,
            # Otherwise Ray starts an idle process per logical CPU, far more than there are cores.
            _system_config={"prestart_worker_first_driver": False},
        )
        address = ray.get_runtime_context().gcs_address
        patch.setenv("RAY_ADDRESS", address)
        yield address
        ray.shutdown()
