"""Searches sent to a real cluster: `ray start --head`, dashboard and token authentication on."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixfront.cluster.environment import write_environment
from mixfront.cluster.jobs import Jobs, is_this_machine
from mixfront.exceptions import ClusterError, SpecError, UnknownNameError

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SECRET = f"secret-{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster of this module's own; yields what the environment must say to reach it."""
    folder = Path(tmp_path_factory.mktemp("ray"))
    ports = _free_ports(6)
    token = secrets.token_hex(32)
    server = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    server.pop("RAY_ADDRESS", None)
    command = [
        str(Path(sys.executable).with_name("ray")),
        *("start", "--head", "--block", "--num-cpus=4", "--disable-usage-stats"),
        *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"),
        "--include-dashboard=true",
        f"--port={ports[0]}",
        f"--dashboard-port={ports[1]}",
        f"--dashboard-agent-listen-port={ports[2]}",
        f"--dashboard-agent-grpc-port={ports[3]}",
        f"--runtime-env-agent-port={ports[4]}",
        f"--ray-client-server-port={ports[5]}",
        f"--temp-dir={folder}",
    ]
    with (folder / "ray-start.log").open("w") as log:
        head = subprocess.Popen(command, env=server, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{ports[1]}"
            _wait_for(ports[1], head)
            yield {
                "RAY_API_SERVER_ADDRESS": address,
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": token,
                "temp_dir": str(folder),
            }
        finally:
            head.terminate()
            head.wait(timeout=60)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_for(port: int, head: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert head.poll() is None, "ray start ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("no dashboard within 120 s")
