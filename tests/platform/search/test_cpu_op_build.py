"""When DeepSpeed's CPU operation is compiled beside the encoding."""

import io
from typing import Any

import pytest
from rich.console import Console

from mixfront.search import cpu_op_build
from mixfront.search.cpu_op_build import compiling_cpu_op


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, make_spec: Any) -> Any:
    """Enters and leaves the block with a stand-in for the compiler; what was printed."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def run(code: str = "", *, built: bool = False, gpus: int = 0) -> str:
        monkeypatch.setattr(cpu_op_build, "is_built", lambda: built)
        monkeypatch.setattr(cpu_op_build, "_BUILD", code)
        spec = make_spec(trial={"gpus_per_worker": gpus})
        console = Console(file=(out := io.StringIO()), width=300)
        with compiling_cpu_op(spec, console):
            pass
        return out.getvalue()

    return run


def test_a_first_search_says_what_it_waits_for(compiled: Any) -> None:
    assert compiled().startswith("compiling DeepSpeed's CPU operation while the data are encoded")


def test_a_failure_is_told_and_left_to_the_workers(compiled: Any) -> None:
    assert "could not be compiled; see `mixfront doctor`" in compiled("raise SystemExit(3)")


@pytest.mark.parametrize("state", [{"built": True}, {"gpus": 1}])
def test_nothing_is_compiled_where_nobody_needs_it(compiled: Any, state: dict[str, Any]) -> None:
    assert compiled("raise SystemExit(3)", **state) == ""


def test_a_cluster_elsewhere_compiles_for_itself(
    compiled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert compiled("raise SystemExit(3)") == ""


def test_an_error_inside_ends_the_compiler(
    make_spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(cpu_op_build, "is_built", lambda: False)
    monkeypatch.setattr(cpu_op_build, "_BUILD", "import time; time.sleep(600)")
    with pytest.raises(KeyError), compiling_cpu_op(make_spec(), Console(file=io.StringIO())):
        raise KeyError
