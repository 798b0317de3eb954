"""MLflow's server with authentication, on PostgreSQL, with its artifacts on S3."""

import json
import secrets
import urllib.request
from base64 import b64encode
from pathlib import Path

from tests.cluster.services.object_store import ObjectStore
from tests.cluster.services.postgres import Postgres
from tests.cluster.services.service import BIN, HOST, Service, free_ports

_ADMIN = "admin"
USER = "ann"  # not an administrator
_CONFIG = """[mlflow]
default_permission = READ
database_uri = {database}
admin_username = {admin}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


class MlflowServer(Service):
    """The server, and the variables by which programs find it.

    Args:
        folder: Where its log and its settings are written.
        databases: Its databases.
        objects: Where its artifacts are stored.
    """

    def __init__(self, folder: Path, databases: Postgres, objects: ObjectStore) -> None:
        super().__init__("mlflow", folder)
        [self._port] = free_ports(1)
        self.uri = f"http://{HOST}:{self._port}"
        self.password = secrets.token_hex(16)
        self._admin_password = secrets.token_hex(16)
        self._databases = databases
        self._objects = objects
        self.environment = {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": self.password,
        }

    def create(self) -> None:
        """Start the server, and create the user."""
        settings = self.log.with_name("auth.ini")
        settings.write_text(
            _CONFIG.format(
                database=self._databases.url("mlflow_users"),
                admin=_ADMIN,
                password=self._admin_password,
            )
        )
        command = [str(BIN / "mlflow"), "server", "--host", HOST, "--port", str(self._port)]
        command += ["--app-name", "basic-auth", "--workers", "1"]
        command += ["--backend-store-uri", self._databases.url("mlflow")]
        command += ["--artifacts-destination", "s3://mlflow/artifacts"]
        environment = {
            "MLFLOW_AUTH_CONFIG_PATH": str(settings),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self._admin_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
            "MLFLOW_S3_ENDPOINT_URL": self._objects.endpoint,
            # The tests do not need the server's job runner, which starts slower than the server.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        self.start(command, self._is_ready, env=self._objects.environment | environment)
        self._create_user()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _create_user(self) -> None:
        login = b64encode(f"{_ADMIN}:{self._admin_password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.uri}/api/2.0/mlflow/users/create",
            json.dumps({"username": USER, "password": self.password}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Basic {login}"},
        )
        urllib.request.urlopen(request, timeout=30).close()
