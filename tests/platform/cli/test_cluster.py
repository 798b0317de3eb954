"""`mixfront cluster manifest`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mixfront.cli.app import app
from mixfront.exceptions import UsageError

COMMAND = ["cluster", "manifest", "kuairand", "--image", "i", "-o", "data.path=s3://logs/day"]


def test_help_has_examples() -> None:
    result = CliRunner().invoke(app, ["cluster", "manifest", "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "--kind job" in result.output
    assert "kubectl apply -f -" in result.output


def test_a_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    result = CliRunner().invoke(app, [*COMMAND, "--output", str(path)], catch_exceptions=False)
    assert result.stdout == f"Wrote {path}. Apply it with: kubectl apply -f {path}\n"
    printed = CliRunner().invoke(app, COMMAND, catch_exceptions=False).stdout
    assert path.read_text() == printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--gpu-type", "NVIDIA-L4"], "a trial has no GPU"),
        (["--storage", "./here"], "--storage is './here'"),
        (["--kind", "job"], "storage is '.*', which pods cannot access"),
        (["-o", "trial.worker=2"], "did you mean 'workers'"),
        (["--name", "My Cluster"], "'My Cluster' is not a valid name"),
        (["--output", "/no/such/folder/m.yaml"], "cannot write '/no/such/folder/m.yaml'"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    monkeypatch.setenv("OPTUNA_STORAGE", "postgresql://db/optuna")
    with pytest.raises(UsageError, match=sentence) as caught:
        CliRunner().invoke(app, [*COMMAND, *arguments], catch_exceptions=False)
    assert "\n" not in str(caught.value)
