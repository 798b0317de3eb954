"""No settings of the environment that the tests run in."""

import pytest


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "MIXFRONT_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("mixfront.cluster.kubernetes.options.version", lambda _: "2.60.0")
