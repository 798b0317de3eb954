"""The paper's ablations (Table 3) and depth, bases and rank (Table 4) on the study's data.

    python -m tests.bench.scaling.ablations --out FOLDER [--quick] [--workers 2]

FOLDER is that of the study, whose data, learning rates and finished runs are used if it has
them. Prints the tables as Markdown, and writes them to FOLDER/ablations.md. It resumes too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.scaling.command import parse
from tests.bench.scaling.dataset import prepare_dataset
from tests.bench.scaling.measured import Measured, measure
from tests.bench.scaling.report import markdown_table
from tests.bench.scaling.shapes import Shape
from tests.bench.scaling.study import Plan, tuned_rates
from tests.bench.scaling.training import evaluation_labels
from tests.bench.scaling.workers import run_missing


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A change of one switch, and the paper's AUC difference from the same change, if printed."""

    name: str
    changes: Mapping[str, Any]
    paper: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Variants of one model; every variant is compared with the unchanged one."""

    title: str
    family: str
    size: str  # of the study, where the model comes from
    changes: Mapping[str, Any]  # to that model, for all variants
    variants: tuple[Variant, ...]


COMPARISONS = (
    Comparison(
        title="Table 3: UniMixer without one of its parts",
        family="unimixer",
        size="M",
        changes={"stack": "siamese", "tau_schedule": "linear"},
        variants=(
            Variant(name="no temperature", changes={"tau_schedule": "off"}, paper=-0.001645),
            Variant(name="no symmetry", changes={"symmetric": False}, paper=-0.000573),
            Variant(name="one local matrix", changes={"shared_local": True}, paper=-0.000436),
            # The paper says too little about its warm-up to know which of these two it means.
            Variant(
                name="two-stage temperature",
                changes={"tau_schedule": "two_stage"},
                paper=-0.000856,
            ),
            Variant(name="cold from the first step", changes={"tau_start": 0.05}, paper=-0.000856),
            Variant(name="post-norm", changes={"stack": "plain"}, paper=-0.000273),
        ),
    ),
    Comparison(
        # n is 64 here and 1,024 in the paper, so the ranks are its 2, 128 and 256 in proportion.
        title="Table 4: UniMixing-Lite, 2 blocks, b = 2, r = n/8",
        family="unimixer_lite",
        size="M",
        changes={"block_size": 4, "num_bases": 2, "rank": 8},
        variants=(
            Variant(name="b = 4", changes={"num_bases": 4}, paper=0.001002),
            Variant(name="r = 1", changes={"rank": 1}, paper=-0.000660),
            Variant(name="r = n/4", changes={"rank": 16}, paper=0.000311),
            Variant(name="4 blocks", changes={"num_blocks": 4}, paper=0.001575),
        ),
    ),
    Comparison(
        title="Table 4: RankMixer, 2 blocks; the paper only says that 4 are worse",
        family="rankmixer",
        size="M",
        changes={},
        variants=(Variant(name="4 blocks", changes={"num_blocks": 4}),),
    ),
)
UNCHANGED = "unchanged"


def main(plan: Plan, folder: Path, num_workers: int) -> str:
    """Train what is missing; returns the tables."""
    prepare_dataset(folder, plan.data)
    comparisons = [c for c in COMPARISONS if c.family in plan.families]
    families = sorted({comparison.family for comparison in comparisons})
    rates = tuned_rates(plan, families, folder, num_workers=num_workers)
    runs = [
        plan.run(comparison.title, name, shape, seed, rates[comparison.family])
        for comparison in comparisons
        for name, shape in shapes(plan, comparison).items()
        for seed in plan.seeds
    ]
    results = run_missing(runs, folder, num_workers=num_workers)
    measured = measure(results, evaluation_labels(folder), folder / "scores")
    text = "\n".join(line for c in comparisons for line in table(measured, c))
    (folder / "ablations.md").write_text(text + "\n")
    return text


def shapes(plan: Plan, comparison: Comparison) -> dict[str, Shape]:
    """Variant -> its shape, the unchanged model first."""
    base = plan.families[comparison.family][comparison.size]
    base = replace(base, model={**base.model, **comparison.changes})
    changed = {
        variant.name: replace(base, model={**base.model, **variant.changes})
        for variant in comparison.variants
    }
    return {UNCHANGED: base, **changed}


def table(measured: Measured, comparison: Comparison) -> Iterator[str]:
    """Lines of one comparison's table; ± is the paired standard error."""
    yield f"{comparison.title}, size {comparison.size}:"
    yield ""
    base = measured.index(comparison.title, UNCHANGED)
    rows = [_cells(measured, base, None, ["", ""])]
    for variant in comparison.variants:
        position = measured.index(comparison.title, variant.name)
        gain, error = measured.difference(position, base)
        paper = "" if variant.paper is None else f"{variant.paper:+.5f}"
        rows.append(
            _cells(measured, position, variant.name, [f"{gain:+.5f} ± {error:.5f}", paper])
        )
    header = ("variant", "params", "GFLOPs/batch", "AUC", "difference", "in the paper")
    yield from markdown_table(header, rows)


def _cells(
    measured: Measured, position: int, name: str | None, differences: list[str]
) -> list[str]:
    model = measured.models[position]
    cells = [name or UNCHANGED, f"{model.params:,.0f}", f"{model.flops / 1e9:.3f}"]
    return [*cells, f"{model.auc:.5f}", *differences]


if __name__ == "__main__":
    print(main(*parse(__doc__)))
