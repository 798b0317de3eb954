"""Installed versions, without anything private."""

import sys

import pytest

from mixfront.installation.versions import installed_versions


def test_it_has_the_versions_that_results_depend_on() -> None:
    versions = installed_versions()
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"mixfront", "ray", "torch", "deepspeed", "optuna", "mlflow"} <= versions.keys()


def test_it_has_no_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in str(installed_versions())
