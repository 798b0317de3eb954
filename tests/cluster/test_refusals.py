"""What cannot work is refused in one sentence within seconds, before a search takes its name."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.command_line import CommandLine
from tests.cluster.conftest import DATA, STORAGE, Services
from tests.cluster.services.service import HOST

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

WRONG_TOKEN = {"RAY_AUTH_TOKEN": "0" * 64}
WORDS = ("kuairand", "-o", "name=refused", "-o", f"data.path={DATA}", "-o", f"storage={STORAGE}")

# Overwrites what the cluster says about its versions: GCS_ADDRESS RAY_VERSION PYTHON_VERSION
FAKE = """
import json, sys
from ray._common.usage import usage_lib
from ray._private import ray_constants
from ray._raylet import GcsClient

client = GcsClient(address=sys.argv[1])
facts = usage_lib.get_cluster_metadata(client) | {
    "ray_version": sys.argv[2], "python_version": sys.argv[3]
}
space = ray_constants.KV_NAMESPACE_CLUSTER
client.internal_kv_put(b"CLUSTER_METADATA", json.dumps(facts).encode(), True, space)
"""


@pytest.fixture
def terminal(services: Services, tmp_path: Path) -> CommandLine:
    return CommandLine(services.environment, tmp_path)


@pytest.fixture(autouse=True)
def no_search_is_left(services: Services) -> Iterator[None]:
    """A refused search has not taken its name."""
    yield
    assert not services.objects.file_system().exists("searches/mixfront/refused")


def test_submit_refuses_a_wrong_token(terminal: CommandLine) -> None:
    message = terminal.refused("search", "submit", *WORDS, **WRONG_TOKEN)
    assert "Invalid authentication token" in message


def test_submit_refuses_a_missing_token(terminal: CommandLine, tmp_path: Path) -> None:
    message = terminal.refused("search", "submit", *WORDS, RAY_AUTH_TOKEN="", HOME=str(tmp_path))
    assert "couldn't find an authentication token); check its" in message


def test_submit_refuses_a_wrong_address(terminal: CommandLine) -> None:
    address = f"http://{HOST}:9"
    message = terminal.refused("search", "submit", *WORDS, RAY_API_SERVER_ADDRESS=address)
    assert f"the Ray cluster at {address} cannot be used" in message


def test_submit_refuses_gpus_that_nobody_can_give(terminal: CommandLine) -> None:
    message = terminal.refused("search", "submit", *WORDS, "-o", "trial.gpus_per_worker=1")
    assert "1 GPUs each" in message
    assert "has 3 nodes with 3 CPUs and 0 GPUs in all, and cannot grow" in message


def test_run_refuses_a_wrong_token(terminal: CommandLine, services: Services) -> None:
    address = services.ray.gcs_address
    message = terminal.refused("search", "run", *WORDS, RAY_ADDRESS=address, **WRONG_TOKEN)
    assert f"the Ray cluster at '{address}' refuses the token" in message


def test_run_refuses_a_wrong_address(terminal: CommandLine) -> None:
    message = terminal.refused("search", "run", *WORDS, RAY_ADDRESS=f"{HOST}:9")
    assert f"no Ray cluster answers at '{HOST}:9'" in message


@pytest.mark.parametrize(("ray", "python"), [("2.9.3", None), (None, "3.10.1")])
def test_run_refuses_other_versions(
    terminal: CommandLine, services: Services, ray: str | None, python: str | None
) -> None:
    import platform
    from importlib.metadata import version

    ours = version("ray"), platform.python_version()
    other = ray or ours[0], python or ours[1]
    _say_versions(services, *other)
    try:
        message = terminal.refused("search", "run", *WORDS, RAY_ADDRESS=services.ray.gcs_address)
    finally:
        _say_versions(services, *ours)
    assert f"runs Ray {other[0]} on Python {other[1]}, but this is Ray {ours[0]}" in message


def _say_versions(services: Services, ray: str, python: str) -> None:
    subprocess.run(
        [sys.executable, "-c", FAKE, services.ray.gcs_address, ray, python],
        env={**os.environ, **services.ray.environment},
        check=True,
    )


def test_the_cluster_says_our_versions(terminal: CommandLine) -> None:
    """Otherwise the tests above would refuse for another reason."""
    assert json.loads(terminal.run("search", "list", "--json")) is not None
