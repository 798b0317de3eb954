"""The GPU check itself, run on a CPU with tiny shapes."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.gpu.check import main
from tests.gpu.families import Difference, Results, difference
from tests.gpu.machine import Machine
from tests.gpu.parts import PARTS, Part, run_part
from tests.gpu.prefetcher import Prefetcher
from tests.gpu.processes import CheckOptions, watch
from tests.gpu.report import PartReport, Recorder, State, format_cell, markdown
from tests.gpu.time_limit import time_limit
from tests.missing_modules import modules_outside, run_without

from mixfront.data import Batch

PACKAGES = (  # those that the docstring of check.py lists, and DeepSpeed
    *("torch", "numpy", "pandas", "pyarrow", "pydantic", "fsspec", "pyyaml", "lazy_loader"),
    *("safetensors", "filelock", "pillow", "rich", "deepspeed"),
)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MIXFRONT_PEAK_FLOPS", "1e11")
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(device="cpu", small=True, folder=tmp_path)


# Both warnings come from torch's compiler itself.
@pytest.mark.filterwarnings("ignore:.*Function.* should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"
)
@pytest.mark.parametrize("name", PARTS)
def test_every_part_runs(name: str, machine: Machine) -> None:
    report = run_part(name, machine)

    assert (report.state, report.error) == (State.DONE, None)
    assert report.tables
    assert all(table.rows for table in report.tables)
    assert [r for r in report.requirements if not r.met] == []
    saved = PartReport.model_validate_json((machine.folder / f"{name}.json").read_text())
    assert saved == report


def test_a_failed_part_keeps_its_rows(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_machine: Machine, recorder: Recorder) -> None:
        recorder.row(recorder.table("Rows", "number"), 7)
        raise RuntimeError("no such kernel")

    monkeypatch.setitem(PARTS, "families", Part(run=fail, title="Broken", seconds=1))
    report = run_part("families", machine)

    assert report.state is State.FAILED
    assert report.error == "RuntimeError: no such kernel"
    assert report.tables[0].rows == [[7]]


def test_the_command_writes_both_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--device", "cpu", "--small", "--parts", "roofline", "--out", str(tmp_path)]

    status = main(arguments)

    whole = json.loads((tmp_path / "gpu.json").read_text())
    assert [part["state"] for part in whole["parts"]] == ["done"]
    assert status == 0
    page = (tmp_path / "gpu.md").read_text()
    assert page.startswith(f"# {whole['environment']['device']}")
    assert page in capfd.readouterr().out


def test_a_part_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    options = CheckOptions(device="cpu", small=True, folder=tmp_path)

    report = list(watch("roofline", 0.5, options))[-1]

    assert report.state is State.STOPPED
    assert report.error == "stopped after 1 s"


def test_a_part_fails_if_its_process_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    options = CheckOptions(device="cpu", small=True, folder=tmp_path)

    report = list(watch("roofline", 200, options))[-1]

    assert (report.state, report.error) == (State.FAILED, "its process ended with status 1")


def test_it_imports_only_the_packages_that_it_lists() -> None:
    others = modules_outside(PACKAGES)
    assert {"ray", "optuna", "mlflow", "typer", "scipy"} <= set(others)
    code = "from tests.gpu import check; import deepspeed; print('imported')"
    done = run_without(others, code)
    assert done.stdout.endswith("imported\n"), done.stderr


def test_a_part_without_deepspeed_is_skipped(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    report = run_part("trials", machine)
    assert report.state is State.SKIPPED
    assert report.notes == ["DeepSpeed is not installed, so no model was trained."]


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--parts", "families,speeed"])
    assert "unknown part 'speeed': choose from families, trials" in capsys.readouterr().err


def test_a_time_limit_interrupts() -> None:
    with pytest.raises(TimeoutError, match="more than 0 s"), time_limit(0.1):
        time.sleep(60)


def test_differences_are_relative_and_nan_is_never_within_tolerances() -> None:
    expected = Results(
        logits=torch.tensor([3.0, 4.0]),
        gradients={"a": torch.tensor([10.0]), "tiny": torch.tensor([1e-9])},
    )
    actual = Results(
        logits=torch.tensor([3.0, 4.5]),
        gradients={"a": torch.tensor([11.0]), "tiny": torch.tensor([2e-9])},
    )
    measured = difference(actual, expected)
    assert (measured.logits, measured.gradients) == pytest.approx((0.1, 0.1))
    assert measured.tensor == "a"
    broken = Results(
        logits=actual.logits, gradients={**actual.gradients, "tiny": torch.tensor([torch.nan])}
    )
    measured = difference(broken, expected)
    assert measured.tensor == "tiny"
    assert not measured.is_within(Difference(logits=1e9, gradients=1e9, worst=1e9))


@pytest.mark.parametrize("threads", [1, 3])
def test_prefetched_batches_keep_their_order(threads: int) -> None:
    def assemble(number: int) -> Batch:
        empty = torch.zeros(1, 0)
        return Batch(
            ids=torch.full((1, 1), number),
            numeric=empty,
            sequences=empty.long(),
            ages=empty,
            label=torch.zeros(1),
            user=torch.zeros(1, dtype=torch.int64),
            weight=torch.ones(1),
            global_weight=1.0,
        )

    batches = Prefetcher(assemble, device="cpu", threads=threads).batches(9)
    assert [int(batch.ids) for batch in batches] == list(range(9))


def test_cells_are_rounded() -> None:
    cells = (1234567.0, 0.000123, 12345, True, False, None, "a|b")
    texts = ["1,234,567", "0.000123", "12,345", "yes", "NO", "", "a/b"]
    assert [format_cell(cell) for cell in cells] == texts


def test_a_page_has_a_heading_for_each_part() -> None:
    parts = [PartReport(name="a", title="First", error="out of memory", state=State.FAILED)]
    assert markdown({"device": "Card", "torch": "2"}, parts) == (
        "# Card\n\ntorch 2\n\n## First\n\nfailed, 0 s: out of memory\n"
    )
