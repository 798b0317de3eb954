"""A Ray cluster of three nodes on this machine, with a dashboard and token authentication."""

import json
import secrets
import urllib.request
from pathlib import Path

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
    """

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(32)
        self.folders = {ip: folder / ip.rsplit(".", 1)[-1] for ip in NODES}
        self._gcs, self._dashboard = free_ports(2)
        self.address = f"http://{HEAD}:{self._dashboard}"
        self.gcs_address = f"{HEAD}:{self._gcs}"
        self.environment = {
            "RAY_API_SERVER_ADDRESS": self.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
        }
        self._nodes: list[Service] = []

    def create(self) -> None:
        """Start the nodes, the head first, and wait until all have joined."""
        for number, ip in enumerate(NODES, start=1):
            self._start(ip, number)

    def stop(self) -> None:
        """End every node, the head last."""
        while self._nodes:
            self._nodes.pop().stop()

    def num_alive(self) -> int:
        """Number of nodes that are part of the cluster; 0 while the dashboard does not answer."""
        request = urllib.request.Request(
            f"{self.address}/api/v0/nodes", headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                nodes = json.load(answer)["data"]["result"]["result"]
        except OSError:
            return 0
        return sum(node["state"] == "ALIVE" for node in nodes)

    def _start(self, ip: str, number: int) -> None:
        self.folders[ip].mkdir()
        node = Service(f"ray-{number}", self.folders[ip])
        self._nodes.append(node)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                node.start(self._command(ip), lambda: self.num_alive() >= number, env=self._env())
            except RuntimeError:
                node.stop()
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _command(self, ip: str) -> list[str]:
        agent, grpc, environment, metrics, client = free_ports(5)
        head = (
            *("--head", f"--port={self._gcs}", f"--ray-client-server-port={client}"),
            *("--include-dashboard=true", f"--dashboard-host={HEAD}"),
            f"--dashboard-port={self._dashboard}",
        )
        return [
            *(str(BIN / "ray"), "start", "--block", "--disable-usage-stats"),
            *(f"--node-ip-address={ip}", f"--num-cpus={CPUS}", f"--temp-dir={self.folders[ip]}"),
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
