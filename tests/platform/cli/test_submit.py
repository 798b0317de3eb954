"""What `mixfront search submit --resume` passes on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from mixfront.cli.app import app
from mixfront.exceptions import SpecError


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of every submission."""
    calls: list[dict[str, Any]] = []

    class Jobs:
        """Submits nothing."""

        address = "http://head:8265"

        def submit(self, spec: Any, **options: Any) -> Any:
            """Record the arguments."""
            calls.append({"spec": spec, **options})
            return SimpleNamespace(search=spec.name, submission_id="mixfront-demo")

    monkeypatch.setattr("mixfront.cluster.jobs.SearchJobs", Jobs)
    return calls


def submit(*overrides: str, resume: bool = True) -> Any:
    words = [word for override in overrides for word in ("-o", override)]
    return CliRunner().invoke(app, ["search", "submit", "demo", *words, *["--resume"] * resume])


def test_a_resumed_search_gets_a_larger_budget(
    submitted: list[dict[str, Any]], tmp_path: Path
) -> None:
    done = submit(f"data.path={tmp_path}", "search.trials=+20", "search.time=+1h")
    assert done.exit_code == 0, done.output
    [call] = submitted
    assert call["extensions"] == ["search.trials=+20", "search.time=+1h"]
    assert call["spec"].data.path == str(tmp_path)


def test_a_new_search_takes_every_override(
    submitted: list[dict[str, Any]], tmp_path: Path
) -> None:
    submit(f"data.path={tmp_path}", "search.trials=20", "training.passes=2", resume=False)
    [call] = submitted
    assert (call["extensions"], call["spec"].search.trials) == ([], 20)


def test_only_the_budget_of_a_resumed_search_changes(submitted: list[dict[str, Any]]) -> None:
    done = submit("training.passes=2")
    assert isinstance(done.exception, SpecError)
    assert "'training.passes=2' cannot be applied" in str(done.exception)
    assert submitted == []
