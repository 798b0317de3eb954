"""`mixfront search submit | status | logs | stop`."""

import dataclasses
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixfront.cli.options import AsJson, Override, SearchName, SpecSource, Storage
from mixfront.cli.search_app import search_app
from mixfront.exceptions import ClusterError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from mixfront.cluster.jobs import Job
    from mixfront.records import RecordStore

_POLL_S = 0.5
# They find a search that is resumed, whose spec is on record.
_LOCATIONS = (
    *("name", "storage", "optuna_storage", "tracking.uri"),
    *("data.path", "data.schema", "space"),
)


def register(app: typer.Typer) -> None:
    """Add the commands to the sub-app `search`, not to `app` itself."""
    del app
    search_app.command("submit")(submit)
    search_app.command("status")(status)
    search_app.command("logs")(logs)
    search_app.command("stop")(stop)


def submit(
    spec: SpecSource,
    override: Override = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help="Environment variable to send; its value is never shown; repeatable."),
    ] = None,
    shared_filesystem: Annotated[
        bool | None,
        typer.Option(
            "--shared-filesystem/--no-shared-filesystem",
            help="Whether the cluster has this machine's files; by default, if it is local.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            help="Resume an interrupted search; with a larger budget, as in "
            "-o search.trials=+20, a finished search continues too."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a search to the Ray cluster at RAY_API_SERVER_ADDRESS or RAY_ADDRESS.

    The spec is the same as for `search run`; mixfront itself is sent as a wheel.

    Example: `mixfront search submit kuairand.yaml -o data.path=s3://logs/kuairand
    --env AWS_ACCESS_KEY_ID --env AWS_SECRET_ACCESS_KEY`
    """
    from mixfront.cluster.jobs import SearchJobs
    from mixfront.spec.search_spec import load_spec

    overrides, extensions = _split(override or [], resume=resume)
    resolved = load_spec(spec, overrides)
    jobs = SearchJobs()
    job = jobs.submit(
        resolved,
        env=env or [],
        shared=shared_filesystem,
        resume=resume,
        extensions=extensions,
    )
    if as_json:
        typer.echo(json.dumps(_job_json(job), indent=1))
        return
    typer.echo(f"Search {job.search!r} runs as job {job.submission_id} on {jobs.address}.")
    typer.echo(f"Follow it with: mixfront search logs {job.search} --follow")
    typer.echo(f"Its runs appear in the MLflow experiment {resolved.tracking.experiment!r}.")


def _split(overrides: list[str], *, resume: bool) -> tuple[list[str], list[str]]:
    """The overrides of the spec, and those that extend the budget of a resumed search.

    Raises:
        SpecError: If a search that is resumed would get another setting than a budget.
    """
    if not resume:
        return overrides, []
    from mixfront.search.extend import is_extension, refuse_other_overrides

    extensions = [override for override in overrides if is_extension(override)]
    located = [o for o in overrides if o.partition("=")[0].strip() in _LOCATIONS]
    refuse_other_overrides([o for o in overrides if o not in (*extensions, *located)])
    return located, extensions


def status(search: SearchName, storage: Storage = None, as_json: AsJson = False) -> None:
    """Show the state of a search: its job on the cluster, and its trials by state.

    Example: `mixfront search status kuairand-front`
    """
    from mixfront.search.driver.status import driver_of

    job, store = _find(search, storage)
    answer = _status_json(job, store)
    if as_json:
        typer.echo(json.dumps(answer, indent=1))
        return
    if job is not None:
        typer.echo(f"job {job.submission_id}: {job.status.lower()}")
        typer.echo(f"  {job.message.splitlines()[0] if job.message else ''}".rstrip())
    if store is not None:
        trials = ", ".join(f"{count} {state}" for state, count in answer["trials"].items())
        because = f", {answer['ended_because']}" if answer["ended_because"] else ""
        driver = driver_of(store, store.search())
        state = driver.describe(store.name) if driver else f"{answer['state']}{because}"
        typer.echo(f"search {store.name}: {state}")
        typer.echo(f"trials: {trials or 'none yet'}")


def logs(
    search: SearchName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing until the job ends.")
    ] = False,
) -> None:
    """Print the output of a submitted search.

    Example: `mixfront search logs kuairand-front --follow`
    """
    from mixfront.cluster.jobs import SearchJobs

    jobs, name = SearchJobs(), _name_of(search)
    if not follow:
        typer.echo(jobs.logs(name), nl=False)
        return
    for text in jobs.follow(name):
        typer.echo(text, nl=False)


def stop(
    search: SearchName,
    storage: Storage = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for it to stop.")] = 160,
) -> None:
    """Stop a search, on the cluster or on this machine; running trials write checkpoints.

    Resume it with `mixfront search resume`, or `mixfront search submit --resume`.

    Example: `mixfront search stop kuairand-front`
    """
    job, store = _find(search, storage)
    if job is not None and not job.is_finished:
        from mixfront.cluster.jobs import SearchJobs

        ended = SearchJobs().stop(job.search, timeout)
        typer.echo(f"Job {ended.submission_id} is {ended.status.lower()}.")
    elif store is not None and store.search().state == "running":
        _stop_driver(store, timeout)
        typer.echo(f"Search {store.name!r} is {store.search().state}.")
    else:
        raise UsageError(
            f"search {_name_of(search)!r} is not running, so there is nothing to stop"
        )


def _stop_driver(store: "RecordStore", timeout: float) -> None:
    """Ask the driver of a search that was not submitted to stop, and wait for it.

    Raises:
        ClusterError: If it does not stop in time.
        UsageError: If it is gone.
    """
    from mixfront.search.driver.status import driver_of
    from mixfront.search.limits.stop_file import request_stop

    driver = driver_of(store, store.search())
    if driver is not None and not driver.is_alive:
        raise UsageError(f"search {store.name!r} cannot be stopped: {driver.describe(store.name)}")
    request_stop(store.url)
    deadline = time.monotonic() + timeout
    while store.search().state == "running":
        if time.monotonic() > deadline:
            raise ClusterError(
                f"the driver of {store.name!r} did not stop within {timeout:g} s; if its process "
                f"is gone, resume with `mixfront search resume {store.name}`"
            )
        time.sleep(_POLL_S)


def _find(search: str, storage: str | None) -> "tuple[Job | None, RecordStore | None]":
    """The latest job of a search, if a cluster is set, and its records, if they exist.

    Raises:
        UnknownNameError: If the search has neither.
    """
    from mixfront.cluster.jobs import SearchJobs, is_configured
    from mixfront.records.locate import locate_search

    job, store = None, None
    if is_configured():
        jobs = [job for job in SearchJobs().all() if job.search == _name_of(search)]
        job = jobs[-1] if jobs else None
    try:
        store = locate_search(search, storage)
    except UnknownNameError:
        if job is None:
            raise
    return job, store


def _name_of(search: str) -> str:
    """The name of a search, given its name, folder or spec file.

    Raises:
        SpecError: If it is a spec file that cannot be read.
    """
    if search.endswith((".yaml", ".yml")):
        from mixfront.config_file import read_yaml
        from mixfront.exceptions import SpecError

        spec = read_yaml(search, SpecError)
        return str(spec.get("name")) if isinstance(spec, dict) else search
    return search.rstrip("/").rsplit("/", 1)[-1]


def _status_json(job: "Job | None", store: "RecordStore | None") -> dict[str, Any]:
    from mixfront.search.driver.status import driver_of

    record = store.search() if store is not None else None
    driver = driver_of(store, record) if store is not None and record is not None else None
    states = Counter(str(trial.state) for trial in store.trials()) if store is not None else {}
    return {
        "search_id": record.search_id if record else None,
        "state": record.state if record else None,
        "ended_because": record.ended_because if record else None,
        "driver": dataclasses.asdict(driver) if driver else None,
        "trials": dict(sorted(states.items())),
        "job": _job_json(job) if job else None,
    }


def _job_json(job: "Job") -> dict[str, Any]:
    return dataclasses.asdict(job)
