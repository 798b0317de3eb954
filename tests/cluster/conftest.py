"""The services of the cluster tests: started once, and ended with the tests however they end."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cluster.kuairand_shaped import write_kuairand_shaped
from tests.cluster.services.mlflow_server import MlflowServer
from tests.cluster.services.object_store import ObjectStore
from tests.cluster.services.postgres import Postgres
from tests.cluster.services.ray_cluster import RayCluster
from tests.cluster.services.service import GUARD, clean_environment

DATA = "s3://logs/kuairand"
STORAGE = "s3://searches/mixfront"
ROWS_PER_DAY = 1500


@dataclass(frozen=True)
class Services:
    """Everything that a team has: a cluster, a tracking server, databases and an object store."""

    postgres: Postgres
    objects: ObjectStore
    mlflow: MlflowServer
    ray: RayCluster

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a user's shell."""
        return {
            **clean_environment(),
            **self.objects.environment,
            **self.mlflow.environment,
            **self.ray.environment,
            "OPTUNA_STORAGE": self.postgres.url("studies"),
            "MIXFRONT_STORAGE": STORAGE,
        }

    @property
    def secrets(self) -> dict[str, str]:
        """What must never be shown, by name."""
        return {
            "database password": self.postgres.password,
            "S3 key": self.objects.secret_key,
            "MLflow password": self.mlflow.password,
            "Ray token": self.ray.token,
        }


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that all users may search; it is removed even if the tests are killed."""
    folder = Path(tempfile.mkdtemp(prefix="mixfront-"))
    folder.chmod(0o755)
    command = [sys.executable, str(GUARD), "--remove", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield folder


def sub(folder: Path, name: str) -> Path:
    """A new folder below another."""
    (folder / name).mkdir()
    return folder / name


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[Postgres]:
    """PostgreSQL with its databases."""
    with ExitStack() as stack:
        server = Postgres(sub(folder, "postgres"))
        stack.callback(server.stop)
        server.create()
        yield server


@pytest.fixture(scope="session")
def objects(folder: Path) -> Iterator[ObjectStore]:
    """S3 with its buckets and the data."""
    with ExitStack() as stack:
        server = ObjectStore(sub(folder, "s3"))
        stack.callback(server.stop)
        server.create()
        write_kuairand_shaped(
            server.file_system(), DATA.removeprefix("s3://"), ROWS_PER_DAY, seed=0
        )
        yield server


@pytest.fixture(scope="session")
def services(folder: Path, postgres: Postgres, objects: ObjectStore) -> Iterator[Services]:
    """All services."""
    with ExitStack() as stack:
        mlflow = MlflowServer(sub(folder, "mlflow"), postgres, objects)
        stack.callback(mlflow.stop)
        mlflow.create()
        ray = RayCluster(sub(folder, "ray"))
        stack.callback(ray.stop)
        ray.create()
        yield Services(postgres, objects, mlflow, ray)
