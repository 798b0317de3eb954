"""Ray, with clusters that are not there."""

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
    """Replace `ray.init`; the cluster must have been left in the end."""
    left: list[bool] = []
    monkeypatch.setattr(ray, "shutdown", lambda: left.append(True))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0, "GPU": 2.0})
    yield lambda function: monkeypatch.setattr(ray, "init", function)
    assert left


def _refuse(**_: object) -> None:
    raise ConnectionError("could not\nreach it")


def test_a_local_cluster(init: Init) -> None:
    init(lambda **_: None)
    assert check_ray().status is Status.OK
    init(_refuse)
    finding = check_ray()
    assert finding.status is Status.FAILED
    assert finding.seen.endswith("does not start here: could not reach it")


def test_a_cluster_that_is_joined(init: Init, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RAY_ADDRESS", "head:6379")
    init(lambda **_: None)
    finding = check_ray()
    assert finding.status is Status.OK
    assert finding.seen.startswith(f"RAY_ADDRESS=head:6379 runs Ray {ray.__version__}")
    assert finding.seen.endswith("with 8 CPUs and 2 GPUs")


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


class _Answer:
    def __init__(self, status: int, **data: str) -> None:
        self.status_code, self.ok = status, status < 400
        self._data = data

    def json(self) -> dict[str, Any]:
        return {"data": self._data}


@pytest.mark.parametrize(
    ("answer", "status", "seen"),
    [
        (
            _Answer(200, rayVersion=ray.__version__, pythonVersion=platform.python_version()),
            Status.OK,
            "as here",
        ),
        (_Answer(200, rayVersion="2.50.0", pythonVersion="3.12.1"), Status.FAILED, "Ray 2.50.0"),
        (_Answer(401), Status.FAILED, "refuses us (401)"),
        (_Answer(404), Status.FAILED, "answers 404"),
    ],
)
def test_a_dashboard(
    answer: _Answer, status: Status, seen: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("RAY_API_SERVER_ADDRESS", "http://me:hunter2@head:8265/")
    environment.setattr(requests, "get", lambda *_, **__: answer)
    finding = check_jobs()
    assert finding.status is status
    assert seen in finding.seen
    assert "hunter2" not in finding.seen + finding.remedy


def test_a_dashboard_that_is_not_there(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RAY_ADDRESS", "http://127.0.0.1:9")
    finding = check_jobs()
    assert finding.status is Status.FAILED
    assert finding.seen == "no answer from RAY_ADDRESS=http://127.0.0.1:9: ConnectionError"


def test_no_dashboard_is_named(environment: pytest.MonkeyPatch) -> None:
    assert check_jobs().status is Status.SKIPPED
    environment.setenv("RAY_ADDRESS", "head:6379")
    assert check_jobs().status is Status.SKIPPED


def test_what_a_search_here_needs(environment: pytest.MonkeyPatch) -> None:
    def lack(*modules: str) -> None:
        raise ModuleNotFoundError(f"No module named {modules[0]!r}", name=modules[0])

    environment.setattr(ray_cluster, "require", lack)
    with pytest.raises(ModuleNotFoundError, match="pandas"):
        check_ray()
