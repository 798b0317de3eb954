"""A Ray cluster of three nodes on this machine, with a dashboard and token authentication."""

import contextlib
import json
import secrets
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from tests.cluster.services.service import BIN, Service, free_ports

# Every address of 127/8 is this machine. Ray replaces 127.0.0.1 with an address of its network.
NODES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")  # the head first
HEAD = NODES[0]
ATTEMPTS = 4  # a node gives up if its agents do not start within 15 s, which cannot be set
CPUS = 1  # logical, per node: a lane's two workers are on two nodes, and one CPU must stay free


class RayCluster:
    """A head and two more nodes; every node has its own process tree and temporary folder.

    Args:
        folder: A folder for the nodes' folders; its name is short, because sockets are in it.
        cpus: Logical CPUs of each node.
    """

    def __init__(self, folder: Path, cpus: int = CPUS) -> None:
        self.token = secrets.token_hex(32)
        self.folders: dict[str, Path] = {}
        self._folder = folder
        self._cpus = cpus
        self._gcs, self._dashboard = free_ports(2)
        self.address = f"http://{HEAD}:{self._dashboard}"
        self.gcs_address = f"{HEAD}:{self._gcs}"
        self.environment = {
            "RAY_API_SERVER_ADDRESS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
        }
        self._nodes: dict[str, Service] = {}
        self._num_started = 0

    def create(self) -> None:
        """Start the nodes, the head first, and wait until all have joined."""
        for ip in NODES:
            self.add(ip)

    def stop(self) -> None:
        """End every node, the head last."""
        while self._nodes:
            self._nodes.popitem()[1].stop()

    def add(self, ip: str) -> None:
        """Start a node, and wait until it has joined."""
        self._num_started += 1
        self.folders[ip] = folder = self._folder / str(self._num_started)
        folder.mkdir()
        node = self._nodes[ip] = Service(f"ray-{ip}", folder)
        expected = len(self._nodes)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                node.start(
                    self._command(ip), lambda: self.num_alive() >= expected, env=self._env()
                )
            except RuntimeError:
                node.stop()
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def lose(self, ip: str) -> None:
        """End a node at once, as if its machine had failed."""
        for process in self.processes(ip):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended by itself
                process.kill()
        self._nodes.pop(ip).stop()

    def repair(self) -> None:
        """Start all nodes again if one is missing."""
        if self.num_alive() < len(NODES):
            self.stop()
            self.create()

    def nodes(self) -> list[str]:
        """The addresses of the nodes, the head first."""
        return list(self._nodes)

    def processes(self, ip: str) -> list[psutil.Process]:
        """The processes of a node."""
        return self._nodes[ip].processes()

    def num_alive(self) -> int:
        """Number of nodes that are part of the cluster; 0 while the dashboard does not answer."""
        try:
            return sum(node["state"] == "ALIVE" for node in self.listing("nodes"))
        except OSError:
            return 0

    def listing(self, kind: str) -> list[dict[str, Any]]:
        """Everything of one kind that the dashboard lists, such as "actors".

        Raises:
            OSError: If the dashboard does not answer.
        """
        request = urllib.request.Request(
            f"{self.address}/api/v0/{kind}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return list(json.load(answer)["data"]["result"]["result"])

    def _command(self, ip: str) -> list[str]:
        agent, grpc, environment, metrics, client = free_ports(5)
        head = (
            *("--head", f"--port={self._gcs}", f"--ray-client-server-port={client}"),
            *("--include-dashboard=true", f"--dashboard-host={HEAD}"),
            f"--dashboard-port={self._dashboard}",
        )
        return [
            *(str(BIN / "ray"), "start", "--block", "--disable-usage-stats"),
            *(
                f"--node-ip-address={ip}",
                f"--num-cpus={self._cpus}",
                f"--temp-dir={self.folders[ip]}",
            ),
            f"--object-store-memory={100 * 2**20}",
            f"--dashboard-agent-listen-port={agent}",
            f"--dashboard-agent-grpc-port={grpc}",
            f"--runtime-env-agent-port={environment}",
            f"--metrics-export-port={metrics}",
            *(head if ip == HEAD else (f"--address={self.gcs_address}",)),
        ]

    def _env(self) -> dict[str, str]:
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "OMP_NUM_THREADS": "1",
            "RAY_agent_register_timeout_ms": "120000",
        }
