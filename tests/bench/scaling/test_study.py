"""A tiny study and tiny ablations, from nothing to their tables; both resume."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.bench.scaling import __main__ as study
from tests.bench.scaling import ablations, workers
from tests.bench.scaling.ablations import COMPARISONS
from tests.bench.scaling.dataset import DatasetConfig
from tests.bench.scaling.runs import ResultFile, Run, RunResult
from tests.bench.scaling.shapes import BASELINES, FAMILIES, mixer
from tests.bench.scaling.study import EMBEDDINGS, FULL, QUICK, Plan
from tests.bench.scaling.training import train

from mixfront.models import count_cost, make_config

TINY = Plan(
    data=DatasetConfig(train_rows=400, validation_rows=200, evaluation_rows=300),
    families={
        "rankmixer": {f"D{dim}": mixer("rankmixer", dim, 1) for dim in (8, 16, 24)},
    },
    baselines=BASELINES,
    learning_rates=(1e-3,),
    seeds=(1,),
    batch_size=200,
    embeddings=EMBEDDINGS,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path) -> Iterator[None]:
    state = torch.get_rng_state()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXFRONT_CACHE", str(tmp_path / "cache"))
        patch.setenv("MIXFRONT_PEAK_FLOPS", "1e11")
        yield
    torch.set_rng_state(state)


def test_a_study_prints_its_tables_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    text = study.main(TINY, folder, 0)
    results = folder / "results.jsonl"

    assert len(ResultFile(results).read()) == len(BASELINES) + 3
    assert "| rankmixer | D24 | 0.001 |" in text
    assert "X in GFLOPs per batch:" in text
    assert (folder / "table.md").read_text() == text + "\n"
    assert "<svg" in (folder / "scaling.svg").read_text()
    assert not list((folder / "trials").iterdir())

    trained: list[str] = []

    def counted(run: Run, at: Path) -> RunResult:
        trained.append(run.key)
        return train(run, at)

    monkeypatch.setattr(workers, "train", counted)
    lines = results.read_text().splitlines()
    results.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:40])  # killed while writing
    assert study.main(TINY, folder, 0) == text
    assert len(trained) == 1


def test_ablations_compare_every_variant_with_the_unchanged_model(tmp_path: Path) -> None:
    families = {"rankmixer": {"M": TINY.families["rankmixer"]["D8"]}}
    plan = replace(TINY, families=families, baselines={})
    text = ablations.main(plan, tmp_path / "study", 0)
    assert text.count("| unchanged |") == 1
    assert "| 4 blocks |" in text


@pytest.mark.parametrize("family", list(FAMILIES))
def test_sizes_span_a_decade_and_a_half_of_flops(family: str) -> None:
    flops = [
        count_cost(s.family, make_config(s.family, s.model), checked=False).training_flops(2048)
        for s in FAMILIES[family].values()
    ]
    assert len(flops) == 4
    assert flops == sorted(flops)
    assert flops[-1] / flops[0] >= 10**1.5


def test_every_variant_is_a_valid_model() -> None:
    for comparison in COMPARISONS:
        shapes = ablations.shapes(FULL, comparison)
        configs = {make_config(s.family, s.model).model_dump_json() for s in shapes.values()}
        assert len(configs) == len(comparison.variants) + 1


def test_the_quick_plan_has_the_sizes_that_a_law_needs() -> None:
    for family, sizes in QUICK.families.items():
        assert len(sizes) == 3
        assert comparisons_of(family) <= set(sizes)


def comparisons_of(family: str) -> set[str]:
    return {comparison.size for comparison in COMPARISONS if comparison.family == family}
