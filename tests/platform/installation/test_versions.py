"""Versions are told, the machine is not."""

import sys

import pytest

from mixfront.installation.versions import installed_versions


def test_versions_of_what_results_depend_on() -> None:
    found = installed_versions()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"mixfront", "ray", "torch", "deepspeed", "optuna", "mlflow"} <= found.keys()


def test_environment_variables_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in str(installed_versions())
