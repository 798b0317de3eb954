"""Checks have a timeout, and every outcome becomes a result."""

import json
import sys

import pytest
from tests.missing_modules import run_without

from mixfront.doctor import examine as module
from mixfront.doctor.checks import CHECKS, Check
from mixfront.doctor.examine import examine, run_check
from mixfront.doctor.finding import Finding, Status, ok
from mixfront.exceptions import MissingExtraError
from mixfront.installation.extras import EXTRAS


def _check(error: Exception) -> Check:
    def fail() -> Finding:
        raise error

    return Check(name="broken", run=fail)


def test_names_are_unique() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_a_check_that_raises_has_failed() -> None:
    finding = run_check(_check(ValueError("http://me:hunter2@host\nis wrong")))
    assert finding.status is Status.FAILED
    assert finding.seen == "the check itself failed: ValueError: http://***@host is wrong"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModuleNotFoundError(name="torch"), Status.SKIPPED),
        (ModuleNotFoundError(name="s3fs"), Status.FAILED),  # a variable names an s3:// URL
        (MissingExtraError("MLflow", "postgres", "psycopg"), Status.FAILED),
    ],
)
def test_a_check_that_lacks_a_package(error: Exception, status: Status) -> None:
    finding = run_check(_check(error))
    assert finding.status is status
    assert finding.remedy.startswith("pip install 'mixfront[")


def test_results_come_in_order() -> None:
    names = ["packages", "cache"]
    results = list(examine(60, [check for check in CHECKS if check.name in names]))
    assert [result.name for result in results] == names
    assert [result.status for result in results] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("asks_server", "status"), [(False, Status.WARNING), (True, Status.FAILED)]
)
def test_a_check_has_a_timeout(
    asks_server: bool, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", "import time; time.sleep(3600)"))
    [result] = examine(0.2, [Check(name="slow", run=lambda: ok(""), asks_server=asks_server)])
    assert result.status is status
    assert result.seen == "no result within 0.2 s"


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import os; os.abort()", "crashed: killed by SIGABRT"),
        ("raise OSError('libcuda is broken')", "crashed: OSError: libcuda is broken"),
        ("print('not JSON')", "crashed: exit status 0"),
    ],
)
def test_a_check_that_crashes(code: str, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMAND", (sys.executable, "-c", code))
    [result] = examine(60, [Check(name="broken", run=lambda: ok(""))])
    assert result.status is Status.FAILED
    assert seen in result.seen


def test_a_base_install_skips_checks_of_missing_packages() -> None:
    code = (
        "from mixfront.doctor.checks import CHECKS\n"
        "from mixfront.doctor.examine import run_check\n"
        "import json\n"
        "print(json.dumps({check.name: run_check(check).status for check in CHECKS}))"
    )
    done = run_without(EXTRAS.keys() - {"PIL", "filelock"}, code)
    statuses = json.loads(done.stdout)
    skipped = [name for name, status in statuses.items() if status == "skipped"]
    assert skipped == ["compiler", "deepspeed", "gpus", "ray", "jobs", "mlflow"]
    assert "failed" not in statuses.values()
