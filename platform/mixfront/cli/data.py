"""`mixfront data`: generate synthetic logs, or profile real ones."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixfront.exceptions import UsageError

if TYPE_CHECKING:
    from mixfront.data.inspection.inspect import Inspection
    from mixfront.data.synthetic.writer import SyntheticReport

data_app = typer.Typer(help="Generate synthetic logs, or profile your own.", no_args_is_help=True)

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def register(app: typer.Typer) -> None:
    """Add `mixfront data` to the command line."""
    app.add_typer(data_app, name="data")


@data_app.command()
def synth(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to create.")],
    rows: Annotated[int, typer.Option(help="Number of impressions.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same rows.")] = 7,
    as_json: _AsJson = False,
) -> None:
    """Write synthetic Parquet logs with known structure, and their schema.

    Example: `mixfront data synth demo-data --rows 100000 --seed 7`
    """
    from mixfront.data.synthetic.writer import write_synthetic

    report = write_synthetic(out, rows, seed)
    if as_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        _print_synthetic(report)


@data_app.command()
def inspect(
    url: Annotated[str, typer.Argument(metavar="PATH", help="Folder or URL of Parquet files.")],
    label: Annotated[str | None, typer.Option(help="Label column, with values 0 and 1.")] = None,
    user: Annotated[str | None, typer.Option(help="Column that groups rows for UAUC.")] = None,
    time: Annotated[str | None, typer.Option(help="Column with the time of each row.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the proposed schema to this file.")
    ] = None,
    rows: Annotated[
        int, typer.Option(help="Number of rows to read, from the beginning.", min=1)
    ] = 500_000,
    as_json: _AsJson = False,
) -> None:
    """Profile Parquet files, warn about leaks, constants and nulls, and propose a schema.

    Example: `mixfront data inspect s3://logs/impressions --label is_click --out schema.yaml`
    """
    from mixfront.data.inspection.inspect import inspect_data
    from mixfront.data.schema import dump_schema

    if out is not None and out.exists():
        raise UsageError(f"{out} already exists; choose another name, or remove it first")
    inspection = inspect_data(url, label, user, time, rows)
    if out is not None:
        out.write_text(dump_schema(inspection.schema))
    if as_json:
        print(json.dumps(_as_json(inspection), indent=2))
    else:
        _print_inspection(inspection, out)


def _print_synthetic(report: "SyntheticReport") -> None:
    train, validation, test = (report.filters[k] for k in ("train", "validation", "test"))
    print(
        f"Wrote {report.num_rows:,} impressions of {report.num_users:,} users and "
        f"{report.num_items:,} items to {report.path}, one folder per day; "
        f"{report.click_rate:.1%} were clicked.\n"
        f"Schema: {report.schema}\n\n"
        "What a model can learn from them:\n"
        f"  AUC {report.bayes_auc:.4f}  the true probabilities: no model can do better "
        f"({report.bayes_auc_validation:.4f} on the validation day, "
        f"{report.bayes_auc_test:.4f} on the test day)\n"
        f"  AUC {report.additive_auc:.4f}  the best sum of one-feature effects: a higher AUC "
        "needs interactions\n\n"
        "For a search spec:\n"
        f'  data: {{path: {report.path}, schema: {report.schema}, train: "{train}", '
        f'validation: "{validation}", test: "{test}"}}'
    )


def _as_json(inspection: "Inspection") -> dict[str, object]:
    return {
        "path": inspection.path,
        "num_rows": inspection.num_rows,
        "sampled_rows": inspection.sampled,
        "columns": [asdict(profile) for profile in inspection.columns],
        "label_auc": {name: signal.auc for name, signal in inspection.signals.items()},
        "warnings": list(inspection.warnings),
        "schema": inspection.schema.model_dump(mode="json", exclude_none=True),
    }


def _print_inspection(inspection: "Inspection", out: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape

    from mixfront.data.schema import dump_schema

    console = Console()
    console.print(_columns_table(inspection))
    for warning in inspection.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
    if out is not None:
        console.print(f"\nWrote the proposed schema to {escape(str(out))}; review it.")
    else:
        console.print("\nProposed schema (write it with --out schema.yaml):\n")
        print(dump_schema(inspection.schema))


def _columns_table(inspection: "Inspection") -> object:
    from rich.markup import escape
    from rich.table import Table

    title = f"{inspection.path}: {inspection.num_rows:,} rows, {inspection.sampled:,} of them read"
    table = Table("column", "type", "nulls", "distinct", "AUC alone", "example", title=title)
    kinds: dict[str, str] = {feature.name: feature.kind for feature in inspection.schema.features}
    table.add_column("proposed")
    for profile in inspection.columns:
        signal = inspection.signals.get(profile.name)
        table.add_row(
            escape(profile.name),
            escape(profile.type),
            f"{profile.null_share:.1%}" if profile.null_share else "",
            f"{profile.distinct:,}",
            f"{signal.auc:.3f}" if signal else "",
            escape(profile.example),
            _role(profile.name, inspection, kinds),
        )
    return table


def _role(name: str, inspection: "Inspection", kinds: dict[str, str]) -> str:
    schema = inspection.schema
    times = [f.times for f in schema.features if f.kind == "sequence"]
    roles = dict.fromkeys(times, "times of events")
    roles |= {schema.label: "label", schema.user: "user", schema.time: "time"}
    names = [role for role in (roles.get(name), kinds.get(name)) if role]
    return ", ".join(names) or "-"
