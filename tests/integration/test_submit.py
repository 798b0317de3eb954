"""Searches submitted to a real cluster with a dashboard and token authentication."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mixfront.cluster.jobs import LAUNCH
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.records import RecordStore
from mixfront.registry.server import registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SECRET = f"secret-{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster for this module; yields the environment variables needed to reach it."""
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
                "RAY_TMPDIR": str(folder),
            }
        finally:
            head.terminate()
            head.wait(timeout=60)


@pytest.fixture(autouse=True)
def reachable(cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a user of the cluster.

    Ray reads its authentication settings only once, on import, so every access to the cluster
    runs in its own process.
    """
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MIXFRONT_TEST_KEY", SECRET)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    monkeypatch.chdir(tmp_path)


# Submits the files of a folder as a job: SEARCH ENTRYPOINT FOLDER [ENV ...]
SEND = """
import shutil, sys
from mixfront.cluster.environment import write_environment
from mixfront.cluster.jobs import SearchJobs
from mixfront.exceptions import MixfrontError

search, entrypoint, folder, *names = sys.argv[1:]

def fill(package):
    shutil.copytree(folder, package, dirs_exist_ok=True)
    write_environment(package, names)

try:
    print(SearchJobs().send(search, entrypoint, fill).submission_id)
except MixfrontError as error:
    print(f"{type(error).__name__}: {error}")
"""

# Prints what a job sees in its driver and in a worker.
PROBE = """
import json, os
import mixfront, ray
from mixfront.cluster.environment import load_in_driver

def look():
    names = ("MIXFRONT_TEST_KEY", "MLFLOW_TRACKING_PASSWORD")
    return {name: len(os.environ.get(name, "")) for name in names}

load_in_driver()
ray.init(log_to_driver=False, logging_level="ERROR")
seen = {
    "driver": look(),
    "worker": ray.get(ray.remote(look).remote()),
    "code": list(mixfront.__path__)[0],
}
print("SEEN", json.dumps(seen))
"""

# Ends slowly, like a search that writes checkpoints.
SLOW = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(4), print("wrote a checkpoint"), sys.exit(1)))
print("ready", flush=True)
time.sleep(600)
"""


def test_wheel_and_environment_arrive_and_no_secret_leaks(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    names = ["MIXFRONT_TEST_KEY", "MLFLOW_TRACKING_PASSWORD"]
    _send("probe", "python probe.py", tmp_path, *names)
    assert _wait("probe") == "SUCCEEDED", _mixfront("search", "logs", "probe")
    output = _mixfront("search", "logs", "probe")
    seen = json.loads(output.split("SEEN ")[1].splitlines()[0])
    assert seen["driver"] == dict.fromkeys(names, len(SECRET))
    assert seen["worker"] == {names[0]: len(SECRET), names[1]: 0}
    assert "py_modules_files" in seen["code"]
    _secret_is_only_in_environment_files(folder)


def test_command_line_runs_from_the_wheel(tmp_path: Path) -> None:
    _send("families", f"{LAUNCH} families --json", tmp_path)
    output = _mixfront("search", "logs", "families", "--follow")
    assert '"name": "unimixer"' in output
    assert _wait("families") == "SUCCEEDED", output


def test_only_one_job_per_name_runs_and_stop_waits(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    assert _send("long", "python slow.py", tmp_path) == "mixfront-long"
    refused = _send("long", "python slow.py", tmp_path)
    assert re.match(r"SpecError: .*'long' is already (pending|running) as mixfront-long", refused)
    _wait_until(lambda: "ready" in _mixfront("search", "logs", "long"))
    assert _status("long") == "RUNNING"
    assert "mixfront-long is stopped" in _mixfront("search", "stop", "long")
    assert "wrote a checkpoint" in _mixfront("search", "logs", "long")
    assert _send("long", "true", tmp_path) == "mixfront-long-2"
    assert _wait("long") == "SUCCEEDED"


def test_a_submitted_search_is_in_mlflow_afterwards(folder: Path, tmp_path: Path) -> None:
    report = write_synthetic(tmp_path / "demo-data", 3000, seed=0)
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    overrides = {
        "name": "sent",
        "data.path": report.path,
        "data.schema": report.schema,
        "storage": tmp_path / "searches",
        "tracking.uri": tracking,
        "search": "{trials: 2, seed: 0, startup_trials: 2}",
        "training": "{batch_size: 512, evaluate_every: 1.0}",
    }
    words = [word for key, value in overrides.items() for word in ("-o", f"{key}={value}")]
    output = _mixfront("search", "submit", "demo", *words, "--env", "MIXFRONT_TEST_KEY")
    assert "Search 'sent' runs as job mixfront-sent on http://127.0.0.1" in output
    status = _wait("sent", 480)
    assert status == "SUCCEEDED", _mixfront("search", "logs", "sent")
    store = RecordStore(str(tmp_path / "searches"), "sent")
    answer = json.loads(_mixfront("search", "status", store.url, "--json"))
    assert (answer["state"], answer["trials"]) == ("finished", {"complete": 2})
    assert answer["job"]["submission_id"] == "mixfront-sent"
    with registry(tracking) as client:
        experiment = client.get_experiment_by_name("demo")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
    search_id = store.search().search_id
    trials = [run for run in runs if "mixfront.trial_id" in run.data.tags]
    assert {run.data.tags["mixfront.search_id"] for run in runs} == {search_id}
    assert {run.data.tags["mixfront.trial_id"] for run in trials} == {"0", "1"}
    assert all(run.info.status == "FINISHED" and "auc" in run.data.metrics for run in trials)
    _secret_is_only_in_environment_files(folder)


def test_an_unknown_search_is_named() -> None:
    output = _fails("search", "logs", "nobody", status=2)
    assert output.startswith("mixfront: unknown submitted search 'nobody'")


def test_a_wrong_token_is_an_error_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    output = _fails("search", "logs", "long", status=1)
    sentence = r"mixfront: the Ray cluster at http://127\.0\.0\.1:\d+ cannot be used \(.+\); .+\n"
    assert re.fullmatch(sentence, output)


def test_a_missing_cluster_is_an_error_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:9")
    output = _fails("search", "logs", "long", status=1)
    assert output.startswith("mixfront: the Ray cluster at http://127.0.0.1:9")
    assert output.count("\n") == 1


@pytest.fixture(scope="module")
def folder(cluster: dict[str, str]) -> Path:
    """Ray's folder, including its logs."""
    return Path(cluster["RAY_TMPDIR"])


def _secret_is_only_in_environment_files(folder: Path) -> None:
    """The secret is only in the uploaded files, which are private, and in no log."""
    logs = [path for path in (folder / "session_latest").resolve().rglob("*") if path.is_file()]
    assert any(path.name.startswith("job-driver-") for path in logs)
    holders = [path for path in logs if SECRET.encode() in path.read_bytes()]
    assert {path.name for path in holders} == {"environment.json"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in holders)


def _send(search: str, entrypoint: str, folder: Path, *names: str) -> str:
    done = _run(["-c", SEND, search, entrypoint, str(folder), *names])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _mixfront(*words: str) -> str:
    done = _run(["-m", "mixfront.cli", *words])
    assert done.returncode == 0, done.stderr
    return done.stdout


def _fails(*words: str, status: int) -> str:
    done = _run(["-m", "mixfront.cli", *words])
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr


def _run(words: list[str]) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert SECRET not in done.stdout + done.stderr
    return done


def _status(search: str) -> str:
    return str(json.loads(_mixfront("search", "status", search, "--json"))["job"]["status"])


def _wait(search: str, seconds: float = 120) -> str:
    """Wait for the last job to end; returns its status."""
    code = "import sys; from mixfront.cluster.jobs import SearchJobs; "
    code += "print(SearchJobs().wait(sys.argv[1], float(sys.argv[2])).status)"
    return _run(["-c", code, search, str(seconds)]).stdout.strip()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    ports = [int(free.getsockname()[1]) for free in sockets]
    for free in sockets:
        free.close()
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
