"""`mixfront search validate`: check a spec before anything runs."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixfront.cli.options import AsJson, Override, SpecSource
from mixfront.cli.search_app import search_app

if TYPE_CHECKING:
    from mixfront.spec.search_spec import SearchSpec

SAMPLES = 25  # configurations sampled to see how many meet the constraints


def register(_app: typer.Typer) -> None:
    """Add the command to `mixfront search`."""
    search_app.command("validate")(validate)


def validate(
    spec: SpecSource,
    override: Override = None,
    data: Annotated[
        bool, typer.Option("--data", help="Also check the spec against the data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a search spec, its space and its filters; nothing is written or started.

    It samples configurations and counts their costs, to show how many meet the constraints. With
    `--data`, it also checks the schema, the columns and the rows that the filters select.

    Example: `mixfront search validate demo -o search.trials=40`
    """
    from mixfront.records.scrub import scrub
    from mixfront.spec.search_spec import load_spec

    resolved = load_spec(spec, override or [])
    report = scrub(_check(resolved, with_data=data))
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _print(resolved, report)
        typer.echo(f"\nThe spec is valid. Next: mixfront search run {spec}")


def _check(spec: "SearchSpec", *, with_data: bool) -> dict[str, Any]:
    from mixfront.data.row_counts import count_rows
    from mixfront.search.validate import check_filters, sample_space
    from mixfront.spaces import load_space

    check_filters(spec)
    space = load_space(spec.space)
    report = {"spec": spec.dump(), "space": space.describe()}
    report["sample"] = sample_space(spec, space, SAMPLES).to_json()
    if with_data:
        report["rows"] = count_rows(spec.data)
    return report


def _print(spec: "SearchSpec", report: dict[str, Any]) -> None:
    sample, space = report["sample"], report["space"]
    objectives = ", ".join(f"{o.metric} {o.direction}" for o in spec.objectives)
    constraints = ", ".join(f"{name} {c}" for name, c in spec.constraints.items()) or "none"
    lines = {
        "search": spec.name,
        "data": spec.data.path,
        "families": ", ".join(space["families"]),
        "objectives": objectives,
        "constraints": constraints,
        "budget": _budget(spec),
        "feasible": f"{sample['feasible']} of {sample['drawn']} configurations sampled",
        "costs": _ranges(sample["costs"]),
        "storage": spec.storage,
        "tracking": report["spec"]["tracking"]["uri"],
    }
    for split, rows in report.get("rows", {}).items():
        lines[split] = f"{rows:,} rows"
    for name, text in lines.items():
        typer.echo(f"{name:<12} {text}")


def _budget(spec: "SearchSpec") -> str:
    limits = spec.search
    parts = [
        None if limits.trials is None else f"{limits.trials} trials",
        None if limits.time is None else f"{limits.time:g} s",
        None if limits.accelerator_hours is None else f"{limits.accelerator_hours:g} worker hours",
    ]
    return ", ".join(part for part in parts if part)


def _ranges(costs: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {low:.3g} to {high:.3g}" for name, (low, high) in costs.items())
