"""`mixfront data`: make synthetic logs, or profile real ones."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixfront.exceptions import UsageError

if TYPE_CHECKING:
    from mixfront.data.inspection.inspect import Inspection
    from mixfront.data.synthetic.writer import SyntheticReport

data_app = typer.Typer(help="Make synthetic logs, or profile your own.", no_args_is_help=True)

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def register(app: typer.Typer) -> None:
    """Add `mixfront data` to the command line."""
    app.add_typer(data_app, name="data")


@data_app.command()
def synth(
    out: Annotated[Path, typer.Argument(help="Folder to create.")],
    rows: Annotated[int, typer.Option(help="Impressions to draw.")] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 7,
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
        _tell_synthetic(report)


@data_app.command()
def inspect(
    url: Annotated[str, typer.Argument(help="Folder or URL of Parquet files.")],
    label: Annotated[str | None, typer.Option(help="Column of 0 and 1.")] = None,
    user: Annotated[str | None, typer.Option(help="Column that groups rows for UAUC.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of the rows' times.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the proposed schema here.")] = None,
    rows: Annotated[int, typer.Option(help="Rows to read, from the beginning.", min=1)] = 500_000,
    as_json: _AsJson = False,
) -> None:
    """Profile Parquet, warn of leaks, constants and nulls, and propose a schema.yaml.

    Example: `mixfront data inspect s3://logs/impressions --label is_click --out schema.yaml`
    """
    from mixfront.data.inspection.inspect import inspect_data
    from mixfront.data.schema import dump_schema

    if out is not None and out.exists():
        raise UsageError(f"{out} exists; choose another name, or remove it first")
    found = inspect_data(url, label, user, time, rows)
    if out is not None:
        out.write_text(dump_schema(found.schema))
    if as_json:
        print(json.dumps(_as_json(found), indent=2))
    else:
        _tell_inspection(found, out)


def _tell_synthetic(report: "SyntheticReport") -> None:
    train, validation, test = (report.filters[k] for k in ("train", "validation", "test"))
    print(
        f"Wrote {report.num_rows:,} impressions of {report.num_users:,} users and "
        f"{report.num_items:,} items to {report.path}, one folder per day; "
        f"{report.click_rate:.1%} were clicked.\n"
        f"Schema: {report.schema}\n\n"
        "What can be learned from them:\n"
        f"  AUC {report.bayes_auc:.4f}  the true probabilities: no model can do better "
        f"({report.bayes_auc_validation:.4f} on the validation day, "
        f"{report.bayes_auc_test:.4f} on the test day)\n"
        f"  AUC {report.additive_auc:.4f}  the best sum of one-feature effects: more needs "
        "interactions\n\n"
        "For a search spec:\n"
        f'  data: {{path: {report.path}, schema: {report.schema}, train: "{train}", '
        f'validation: "{validation}", test: "{test}"}}'
    )


def _as_json(found: "Inspection") -> dict[str, object]:
    return {
        "path": found.path,
        "num_rows": found.num_rows,
        "sampled_rows": found.sampled,
        "columns": [asdict(profile) for profile in found.columns],
        "label_auc": {name: signal.auc for name, signal in found.signals.items()},
        "warnings": list(found.warnings),
        "schema": found.schema.model_dump(mode="json", exclude_none=True),
    }


def _tell_inspection(found: "Inspection", out: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape

    from mixfront.data.schema import dump_schema

    console = Console()
    console.print(_columns_table(found))
    for warning in found.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
    if out is not None:
        console.print(f"\nWrote the proposed schema to {escape(str(out))}; review it.")
    else:
        console.print("\nProposed schema (write it with --out schema.yaml):\n")
        print(dump_schema(found.schema))


def _columns_table(found: "Inspection") -> object:
    from rich.markup import escape
    from rich.table import Table

    title = f"{found.path}: {found.num_rows:,} rows, {found.sampled:,} of them read"
    table = Table("column", "type", "nulls", "distinct", "AUC alone", "example", title=title)
    kinds: dict[str, str] = {feature.name: feature.kind for feature in found.schema.features}
    table.add_column("proposed")
    for profile in found.columns:
        signal = found.signals.get(profile.name)
        table.add_row(
            escape(profile.name),
            escape(profile.type),
            f"{profile.null_share:.1%}" if profile.null_share else "",
            f"{profile.distinct:,}",
            f"{signal.auc:.3f}" if signal else "",
            escape(profile.example),
            _role(profile.name, found, kinds),
        )
    return table


def _role(name: str, found: "Inspection", kinds: dict[str, str]) -> str:
    schema = found.schema
    times = [f.times for f in schema.features if f.kind == "sequence"]
    roles = dict.fromkeys(times, "times of events")
    roles |= {schema.label: "label", schema.user: "user", schema.time: "time"}
    told = [role for role in (roles.get(name), kinds.get(name)) if role]
    return ", ".join(told) or "-"
