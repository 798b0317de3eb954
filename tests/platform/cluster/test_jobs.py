"""Searches as jobs, with a fake Jobs API; tests/integration uses the real one."""

import zipfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from mixfront.cluster import jobs as module
from mixfront.cluster.jobs import LAUNCH, Job, SearchJobs, is_this_machine
from mixfront.cluster.suitability import ClusterFacts
from mixfront.exceptions import ClusterError, SpecError, UnknownNameError, UsageError
from mixfront.spec.search_spec import SearchSpec, load_spec


class _Status(Enum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


@dataclass
class _Details:
    submission_id: str
    metadata: dict[str, str] | None
    start_time: int | None
    status: _Status = _Status.RUNNING
    message: str | None = None
    end_time: int | None = None


@dataclass
class _Client:
    """Records submitted jobs."""

    jobs: list[_Details] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    package: dict[str, str] = field(default_factory=dict)

    def get_address(self) -> str:
        return "http://127.0.0.1:8265"

    def submit_job(self, **request: Any) -> str:
        self.sent.append(request)
        folder = Path(request["runtime_env"]["working_dir"])
        self.package = {path.name: path.read_text() for path in folder.iterdir()}
        with zipfile.ZipFile(request["runtime_env"]["py_modules"][0]) as wheel:
            assert "mixfront/cluster/launch.py" in wheel.namelist()
        number = len(self.jobs)
        self.jobs.append(_Details(request["submission_id"], request["metadata"], 1000 * number))
        return str(request["submission_id"])

    def list_jobs(self) -> list[_Details]:
        return list(reversed(self.jobs))

    def get_job_info(self, submission_id: str) -> _Details:
        return next(job for job in self.jobs if job.submission_id == submission_id)

    def stop_job(self, submission_id: str) -> bool:
        self.get_job_info(submission_id).status = _Status.STOPPED
        return True


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> _Client:
    """The fake client that `SearchJobs` uses."""
    import ray.job_submission

    client = _Client()
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    monkeypatch.setattr(ray.job_submission, "JobSubmissionClient", lambda: client)
    return client


def _send(search: str) -> Job:
    return SearchJobs().send(search, f"{LAUNCH} families", lambda _folder: None)


def test_a_job_gets_a_wheel_and_no_user_values_in_its_runtime_environment(client: _Client) -> None:
    job = SearchJobs().send(
        "clicks",
        f"{LAUNCH} search run spec.yaml",
        lambda folder: (folder / "spec.yaml").write_text("x"),
    )
    [request] = client.sent
    assert job.submission_id == "mixfront-clicks"
    assert request["entrypoint"] == "python -m mixfront.cluster.launch search run spec.yaml"
    assert set(request["runtime_env"]["env_vars"]) == {
        "RAY_JOB_STOP_WAIT_TIME_S",
        "PYTHONUNBUFFERED",
    }
    assert client.package == {"spec.yaml": "x"}


def test_a_resumed_job_extends_its_budget(
    client: _Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClusterFacts, "read", lambda _client: ClusterFacts())
    spec = load_spec("demo", [f"data.path={tmp_path}", f"storage={tmp_path}"])
    SearchJobs().submit(spec, shared=True, resume=True, extensions=["search.time=+1h; rm x"])
    [request] = client.sent
    assert request["entrypoint"] == f"{LAUNCH} search resume spec.yaml -o 'search.time=+1h; rm x'"


def test_a_search_with_an_active_job_is_refused(client: _Client) -> None:
    assert client
    _send("clicks")
    with pytest.raises(
        SpecError, match="'clicks' is already running as mixfront-clicks; stop it with"
    ):
        _send("clicks")


def test_a_second_job_of_a_search_gets_a_number(client: _Client) -> None:
    _send("clicks")
    client.jobs[0].status = _Status.FAILED
    assert _send("clicks").submission_id == "mixfront-clicks-2"
    assert SearchJobs().latest("clicks").submission_id == "mixfront-clicks-2"


def test_a_search_name_that_ends_in_a_number_is_not_confused_with_a_job_number(
    client: _Client,
) -> None:
    _send("clicks-2")
    client.jobs.append(_Details("mixfront-clicks", {"mixfront.search": "clicks"}, 5))
    client.jobs[1].status = _Status.FAILED
    assert _send("clicks").submission_id == "mixfront-clicks-3"
    assert SearchJobs().latest("clicks-2").submission_id == "mixfront-clicks-2"


def test_jobs_of_other_programs_are_ignored(client: _Client) -> None:
    client.jobs.append(_Details("raysubmit_1", None, 5))
    client.jobs.append(_Details("raysubmit_2", {"owner": "x"}, 6))
    assert SearchJobs().all() == []
    with pytest.raises(UnknownNameError, match="unknown submitted search 'clicks'"):
        SearchJobs().latest("clicks")


def test_stop_waits_until_the_job_has_ended(client: _Client) -> None:
    _send("clicks")
    assert SearchJobs().stop("clicks").status == "STOPPED"
    assert client.jobs[0].status is _Status.STOPPED


def test_waiting_for_a_job_that_does_not_end_times_out(
    client: _Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client
    monkeypatch.setattr(module, "_POLL_S", 0.01)
    _send("clicks")
    with pytest.raises(ClusterError, match=r"mixfront-clicks is still running after 0\.05 s"):
        SearchJobs().wait("clicks", 0.05)


def test_ray_errors_become_one_sentence_without_passwords(
    client: _Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> list[_Details]:
        raise RuntimeError("bad token\nTraceback and so on")

    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://me:hidden@127.0.0.1:8265")
    monkeypatch.setattr(client, "list_jobs", refuse)
    with pytest.raises(ClusterError) as caught:
        SearchJobs().all()
    assert str(caught.value) == (
        "the Ray cluster at http://***@127.0.0.1:8265 cannot be used (bad token); "
        "check its address and token"
    )


def test_a_missing_cluster_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module.ADDRESS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="set RAY_API_SERVER_ADDRESS"):
        SearchJobs()


def test_a_paragraph_of_ray_becomes_one_sentence(
    client: _Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> list[_Details]:
        raise RuntimeError("No token was found. Create a file. See https://docs.ray.io/auth.html")

    monkeypatch.setattr(client, "list_jobs", refuse)
    with pytest.raises(ClusterError, match=r"cannot be used \(No token was found\); check its"):
        SearchJobs().all()


def test_a_search_whose_trials_do_not_fit_is_not_sent(
    client: _Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = ClusterFacts(nodes=({"CPU": 8.0},), is_fixed=True)
    monkeypatch.setattr(ClusterFacts, "read", lambda _client: facts)
    data = {"path": "/d", "schema": "/s", "train": "d == 1", "validation": "d == 2"}
    trial = {"workers": 1, "gpus_per_worker": 1}
    spec = SearchSpec.model_validate({"name": "clicks", "data": data, "trial": trial})
    with pytest.raises(ClusterError, match="8 CPUs and 0 GPUs in all, and cannot grow"):
        SearchJobs().submit(spec)
    assert client.sent == []


@pytest.mark.parametrize(
    ("address", "is_local"),
    [("http://127.0.0.1:8265", True), ("http://localhost:1", True), ("http://192.0.2.1:1", False)],
)
def test_addresses_of_this_machine_are_recognized(address: str, is_local: bool) -> None:
    assert is_this_machine(address) is is_local
