"""The check of installed versions against mixfront's metadata."""

from email.message import Message
from importlib import metadata

import pytest

from mixfront.doctor.finding import Status
from mixfront.doctor.packages import check_packages

REQUIRES = (
    "numpy>=2",
    'torch>=2.6; extra == "serve"',
    'torch>=2.6; extra == "all"',
    'torch<2.14; extra == "all"',
    'optuna<5.1,>=5; extra == "all"',
    'pytest>=9; extra == "dev"',
)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> "Install":
    return Install(monkeypatch)


class Install:
    """Pretends that certain versions are installed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(
        self,
        versions: dict[str, str],
        python: str = ">=3.11",
        requires: tuple[str, ...] = REQUIRES,
    ) -> None:
        def version(package: str) -> str:
            if package not in versions:
                raise metadata.PackageNotFoundError(package)
            return versions[package]

        info = Message()
        info["Requires-Python"] = python
        self._monkeypatch.setattr(metadata, "version", version)
        self._monkeypatch.setattr(metadata, "metadata", lambda _: info)
        self._monkeypatch.setattr(metadata, "requires", lambda _: list(requires))


def test_everything_fits(install: Install) -> None:
    install({"numpy": "2.4.6", "torch": "2.13.0+cpu", "optuna": "5.0.0"})
    finding = check_packages()
    assert finding.status is Status.OK
    assert finding.seen.endswith("complete extras: all, serve, s3, postgres")


def test_an_extra_may_be_missing(install: Install) -> None:
    install({"numpy": "2.4.6", "torch": "2.13.0"})
    finding = check_packages()
    assert finding.status is Status.OK
    assert "complete extras: serve" in finding.seen


@pytest.mark.parametrize(
    ("versions", "seen", "remedy"),
    [
        ({}, "numpy is not installed", "pip install 'numpy>=2'"),
        ({"numpy": "1.26.4"}, "numpy 1.26.4 is not >=2", "pip install 'numpy>=2'"),
        (
            {"numpy": "2.4.6", "torch": "2.5.1"},
            "torch 2.5.1 is not >=2.6",
            "pip install 'torch>=2.6'",
        ),
        (
            {"numpy": "2.4.6", "torch": "2.14.1"},
            "torch 2.14.1 is not <2.14",
            "pip install 'torch<2.14'",
        ),
    ],
)
def test_versions_that_do_not_fit(
    install: Install, versions: dict[str, str], seen: str, remedy: str
) -> None:
    install(versions)
    finding = check_packages()
    assert (finding.status, finding.seen, finding.remedy) == (Status.FAILED, seen, remedy)


def test_a_python_that_is_too_old(install: Install) -> None:
    install({"numpy": "2.4.6"}, python=">=4")
    finding = check_packages()
    assert finding.status is Status.FAILED
    assert "is not >=4" in finding.seen


def test_a_wheel_that_lists_no_dependencies(install: Install) -> None:
    install({}, requires=())
    assert check_packages().status is Status.SKIPPED


def test_this_environment_passes() -> None:
    assert check_packages().status is Status.OK
