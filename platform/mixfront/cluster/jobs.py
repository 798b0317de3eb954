"""Runs searches as jobs on a Ray cluster, through its Jobs API."""

import asyncio
import logging
import math
import os
import shlex
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mixfront.cluster.environment import HOOK
from mixfront.cluster.job_package import SPEC, pack
from mixfront.cluster.suitability import ClusterFacts, refuse_unsuitable
from mixfront.exceptions import ClusterError, SpecError, UnknownNameError, UsageError
from mixfront.records.scrub import scrub_text

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

    from mixfront.spec.search_spec import SearchSpec

ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")  # in Ray's order of precedence
STOP_WAIT_S = 150  # time for a stopped search to write checkpoints before it is killed
_SEARCH = "mixfront.search"  # metadata key: name of the job's search
LAUNCH = "python -m mixfront.cluster.launch"  # takes the arguments of `mixfront`
_UNFINISHED = ("PENDING", "RUNNING")
_POLL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of a search."""

    submission_id: str
    search: str
    status: str  # PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED
    message: str
    started: float | None  # unix seconds
    ended: float | None

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended."""
        return self.status not in _UNFINISHED


class SearchJobs:
    """The search jobs on the cluster at RAY_API_SERVER_ADDRESS or RAY_ADDRESS.

    Ray reads the token from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token.

    Raises:
        UsageError: If neither variable is set.
        ClusterError: If the cluster cannot be reached, or refuses the request.
    """

    def __init__(self) -> None:
        if not is_configured():
            raise UsageError(
                "no Ray cluster is configured; set RAY_API_SERVER_ADDRESS to its dashboard, "
                "for example http://head:8265"
            )
        with _translated_errors():
            from ray.job_submission import JobSubmissionClient

            self._client = JobSubmissionClient()
        self.address: str = self._client.get_address()

    def submit(
        self,
        spec: "SearchSpec",
        *,
        env: Sequence[str] = (),
        shared: bool | None = None,
        resume: bool = False,
        extensions: Sequence[str] = (),
    ) -> Job:
        """Submit a search to the cluster.

        Args:
            spec: The search's spec.
            env: Names of environment variables to pass to the job. Those of the tracking server
                and the study are only passed to its driver.
            shared: Whether the cluster has this machine's files; None = if it is this machine.
            resume: Resume an interrupted search.
            extensions: Overrides of the budget of a search that is resumed.

        Raises:
            SpecError: If the search has an active job, or the spec names a location that the
                cluster cannot access.
            ClusterError: If the cluster refuses the job, or cannot run the search's trials.
        """
        with _translated_errors():
            facts = ClusterFacts.read(self._client)
        refuse_unsuitable(facts, spec.trial, self.address)
        verb = "resume" if resume else "run"
        options = "".join(f" -o {shlex.quote(override)}" for override in extensions)
        shared = is_this_machine(self.address) if shared is None else shared
        return self.send(
            spec.name,
            f"{LAUNCH} search {verb} {SPEC}{options}",
            lambda folder: pack(spec, folder, env=env, shared=shared),
        )

    def send(self, search: str, entrypoint: str, fill: Callable[[Path], object]) -> Job:
        """Run a command as a job that imports this version of mixfront.

        Args:
            search: Name of the job's search.
            entrypoint: The command.
            fill: Fills a folder, which becomes the job's working directory.

        Raises:
            SpecError: If the search has an active job.
            ClusterError: If the cluster refuses the job.
        """
        from mixfront.installation.wheel import build_wheel  # slow to import

        submission_id = self._free_id(search)
        with tempfile.TemporaryDirectory(prefix="mixfront-submit-") as work, _translated_errors():
            package = Path(work) / "package"
            package.mkdir()
            fill(package)
            wheel = build_wheel(Path(work), requires=False)
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=submission_id,
                runtime_env=_runtime_env(package, wheel),
                metadata={_SEARCH: search},
            )
        return self._job(submission_id)

    def all(self) -> list[Job]:
        """Every job of every search, oldest first."""
        with _translated_errors():
            listed = self._client.list_jobs()
        jobs = [_as_job(details) for details in listed if _SEARCH in (details.metadata or {})]
        return sorted(jobs, key=_start)

    def latest(self, search: str) -> Job:
        """The latest job of a search.

        Raises:
            UnknownNameError: If the search has no job on this cluster.
        """
        jobs = self.all()
        of_search = [job for job in jobs if job.search == search]
        if not of_search:
            raise UnknownNameError("submitted search", search, {job.search for job in jobs})
        return of_search[-1]

    def logs(self, search: str) -> str:
        """The output of a search's latest job so far."""
        job = self.latest(search)
        with _translated_errors():
            return str(self._client.get_job_logs(job.submission_id))

    def follow(self, search: str) -> Iterator[str]:
        """Stream the output of a search's latest job until it ends."""
        job = self.latest(search)
        loop = asyncio.new_event_loop()
        try:
            lines = self._client.tail_job_logs(job.submission_id)
            while True:
                with _translated_errors():
                    text = loop.run_until_complete(anext(lines, None))
                if text is None:
                    return
                yield text
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def stop(self, search: str, timeout: float = STOP_WAIT_S + 10) -> Job:
        """Stop the latest job of a search, and wait until it has ended.

        The job gets SIGTERM: running trials write checkpoints, and the search can be resumed.

        Raises:
            ClusterError: If the job has not ended after `timeout` seconds.
        """
        job = self.latest(search)
        if not job.is_finished:
            with _translated_errors():
                self._client.stop_job(job.submission_id)
        return self.wait(search, timeout)

    def wait(self, search: str, timeout: float) -> Job:
        """Wait until the latest job of a search has ended.

        Raises:
            ClusterError: If the job has not ended after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not (job := self.latest(search)).is_finished:
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"the job {job.submission_id} is still {job.status.lower()} after "
                    f"{timeout:g} s; see `mixfront search logs {search}`"
                )
            time.sleep(_POLL_S)
        return job

    def _job(self, submission_id: str) -> Job:
        with _translated_errors():
            return _as_job(self._client.get_job_info(submission_id))

    def _free_id(self, search: str) -> str:
        """`mixfront-<name>`, with a number if it is taken; Ray never accepts an id twice."""
        jobs = self.all()
        for job in jobs:
            if job.search == search and not job.is_finished:
                raise SpecError(
                    f"search {search!r} is already {job.status.lower()} as {job.submission_id}; "
                    f"stop it with `mixfront search stop {search}`, or choose another name"
                )
        with _translated_errors():
            taken = {details.submission_id for details in self._client.list_jobs()}
        names = (f"mixfront-{search}" + (f"-{n}" if n > 1 else "") for n in range(1, 10**6))
        return next(name for name in names if name not in taken)


def is_configured() -> bool:
    """Whether a cluster address is set in the environment."""
    return any(os.environ.get(name) for name in ADDRESS_VARIABLES)


def is_this_machine(address: str) -> bool:
    """Whether an address belongs to this machine."""
    host = urlsplit(address).hostname or ""
    try:
        family, _, _, _, sockaddr = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((sockaddr[0], 0))  # only a local address can be bound
    except OSError:
        return False
    return True


def _runtime_env(package: Path, wheel: Path) -> dict[str, Any]:
    """Ray's runtime environment; it has no user values, because Ray logs and shows it."""
    return {
        "working_dir": str(package),
        "py_modules": [str(wheel)],
        "worker_process_setup_hook": HOOK,
        "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), "PYTHONUNBUFFERED": "1"},
    }


def _start(job: Job) -> float:
    """Sort key; a job that has not started sorts last."""
    return math.inf if job.started is None else job.started


def _as_job(details: "JobDetails") -> Job:
    return Job(
        submission_id=str(details.submission_id),
        search=(details.metadata or {}).get(_SEARCH, ""),
        status=str(details.status.value),
        message=details.message or "",
        started=None if details.start_time is None else details.start_time / 1000,
        ended=None if details.end_time is None else details.end_time / 1000,
    )


def _first_sentence(text: str) -> str:
    """Ray explains a missing token in a paragraph."""
    return text.split(". ", 1)[0].rstrip(".")


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn Ray's errors into one sentence, and silence Ray's own logging of them.

    Raises:
        ClusterError: For any error from Ray.
    """
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    from ray.exceptions import RayError  # raised for a missing or wrong token

    try:
        yield
    except (RayError, RuntimeError, OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        lines = [line for line in str(error).splitlines() if line.strip()]
        address = next((os.environ[n] for n in ADDRESS_VARIABLES if os.environ.get(n)), "")
        reason = _first_sentence(lines[0]) if lines else type(error).__name__
        raise ClusterError(
            f"the Ray cluster at {scrub_text(address)} cannot be used ({scrub_text(reason)}); "
            "check its address and token"
        ) from None
    finally:
        logging.disable(before)
