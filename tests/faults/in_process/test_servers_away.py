"""MLflow and the study's database end at random moments of a search, and come back."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.cluster.services.postgres import Postgres
from tests.faults.in_process.conftest import MakeSearch
from tests.faults.in_process.searches import TRIALS, FaultySearch, Waits
from tests.faults.injections import Faults
from tests.integration.mlflow_server import Server

LONGEST_OUTAGE_S = 5.0  # besides the server's start


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server on SQLite."""
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_mlflow_away(
    faults: Faults, make_search: MakeSearch, faultless_s: float, mlflow_server: Server
) -> None:
    search = make_search(overrides=(f"tracking.uri={mlflow_server.uri}",))
    started = time.monotonic()
    outages(search, faults, mlflow_server.kill, mlflow_server.start)
    faults.cost(time.monotonic() - started - faultless_s)
    assert search.errors == []
    assert search.faults() == []


@pytest.mark.cluster
@pytest.mark.timeout(900)
@pytest.mark.faults(per_run=2)
def test_postgres_restarted(
    faults: Faults,
    make_search: MakeSearch,
    faultless_s: float,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shut down or crashed, while study and lease are in it."""
    url = postgres.url("studies")
    monkeypatch.setenv("OPTUNA_STORAGE", url)  # records leave its password out
    search = make_search(overrides=(f"optuna_storage={url}",), waits=Waits(1.0))
    end = faults.random.choice((postgres.stop, postgres.crash))
    started = time.monotonic()
    outages(search, faults, end, postgres.start_again)
    faults.cost(time.monotonic() - started - faultless_s)
    assert search.errors == []
    assert search.faults() == []


def outages(
    search: FaultySearch, faults: Faults, end: Callable[[], None], start: Callable[[], None]
) -> None:
    """Run a search to its end; at random trials a server ends, and starts again a little later."""
    moments = set(faults.random.sample(range(TRIALS), faults.count))
    starts, restarts = itertools.count(), list[threading.Thread]()

    def restart(after_s: float) -> None:
        time.sleep(after_s)
        start()

    def on_train(_trial: str) -> None:
        if next(starts) not in moments:
            return
        for thread in restarts:  # it may still be starting
            thread.join()
        end()
        away_s = faults.random.uniform(0, LONGEST_OUTAGE_S)
        restarts.append(threading.Thread(target=restart, args=(away_s,)))
        restarts[-1].start()
        faults.injected += 1

    while not search.is_over:
        assert search.drivers < 5, search.errors
        search.run_driver(search.pool(on_train))
    for thread in restarts:
        thread.join()
