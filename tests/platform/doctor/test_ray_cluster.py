"""The checks of Ray, with fake clusters."""

import platform
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import ray
import requests

from mixfront.doctor import ray_cluster
from mixfront.doctor.finding import Status
from mixfront.doctor.ray_cluster import check_jobs, check_ray

Init = Callable[[Callable[..., object]], None]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    return monkeypatch


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch) -> Iterator[Init]:
    """A function that replaces `ray.init`; `ray.shutdown` must be called in the end."""
    shutdowns: list[bool] = []
    monkeypatch.setattr(ray, "shutdown", lambda: shutdowns.append(True))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0, "GPU": 2.0})
    yield lambda function: monkeypatch.setattr(ray, "init", function)
    assert shutdowns


def _refuse(**_: object) -> None:
    raise ConnectionError("could not\nreach it")


def test_a_local_cluster(init: Init) -> None:
    init(lambda **_: None)
    assert check_ray().status is Status.OK
    init(_refuse)
    finding = check_ray()
    assert finding.status is Status.FAILED
    assert finding.seen.endswith("does not start on this machine: could not reach it")


def test_a_cluster_that_is_joined(init: Init, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RAY_ADDRESS", "head:6379")
    init(lambda **_: None)
    finding = check_ray()
    assert finding.status is Status.OK
    assert finding.seen.startswith(f"RAY_ADDRESS=head:6379 runs Ray {ray.__version__}")
    assert finding.seen.endswith("has 8 CPUs and 2 GPUs")


def test_a_cluster_of_another_version(init: Init, environment: pytest.MonkeyPatch) -> None:
    def differ(**_: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.50.0")

    environment.setenv("RAY_ADDRESS", "head:6379")
    init(differ)
    finding = check_ray()
    assert finding.status is Status.FAILED
    assert "Ray: 2.50.0" in finding.seen


def test_a_dashboard_cannot_be_joined(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RAY_ADDRESS", "http://head:8265")
    assert check_ray().status is Status.SKIPPED


class _Response:
    def __init__(self, status: int, **data: str) -> None:
        self.status_code, self.ok = status, status < 400
        self._data = data

    def json(self) -> dict[str, Any]:
        return {"data": self._data}


@pytest.mark.parametrize(
    ("response", "status", "seen"),
    [
        (
            _Response(200, rayVersion=ray.__version__, pythonVersion=platform.python_version()),
            Status.OK,
            "the same as this machine",
        ),
        (_Response(200, rayVersion="2.50.0", pythonVersion="3.12.1"), Status.FAILED, "Ray 2.50.0"),
        (_Response(401), Status.FAILED, "refuses access (401)"),
        (_Response(404), Status.FAILED, "returns 404"),
    ],
)
def test_a_dashboard(
    response: _Response, status: Status, seen: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("RAY_API_SERVER_ADDRESS", "http://me:hunter2@head:8265/")
    environment.setattr(requests, "get", lambda *_, **__: response)
    finding = check_jobs()
    assert finding.status is status
    assert seen in finding.seen
    assert "hunter2" not in finding.seen + finding.remedy


def test_an_unreachable_dashboard(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RAY_ADDRESS", "http://127.0.0.1:9")
    finding = check_jobs()
    assert finding.status is Status.FAILED
    assert finding.seen == "no response from RAY_ADDRESS=http://127.0.0.1:9: ConnectionError"


def test_without_a_dashboard(environment: pytest.MonkeyPatch) -> None:
    assert check_jobs().status is Status.SKIPPED
    environment.setenv("RAY_ADDRESS", "head:6379")
    assert check_jobs().status is Status.SKIPPED


def test_a_local_search_needs_pandas(environment: pytest.MonkeyPatch) -> None:
    def fail(*modules: str) -> None:
        raise ModuleNotFoundError(f"No module named {modules[0]!r}", name=modules[0])

    environment.setattr(ray_cluster, "require", fail)
    with pytest.raises(ModuleNotFoundError, match="pandas"):
        check_ray()
