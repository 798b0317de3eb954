"""`mixfront doctor`: what works on this machine, what does not, and how to fix it."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mixfront.doctor.examine import CheckResult

STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("doctor")(doctor)


def doctor(
    timeout: Annotated[float, typer.Option(min=1, help="Maximum seconds per check.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check what works on this machine, and say how to fix what does not.

    The checks cover the installed packages, the compiler, DeepSpeed, GPUs, Ray, MLflow, the
    storage of searches and studies, and the cache. The exit status is 1 if a check failed.

    Example: `mixfront doctor`
    """
    from mixfront.doctor.examine import examine

    results = []
    for result in examine(timeout):
        results.append(result)
        if not as_json:
            _print(result)
    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=2))
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def _print(result: "CheckResult") -> None:
    from rich.console import Console
    from rich.markup import escape

    style = STYLES[result.status]
    console = Console()
    console.print(
        f"[{style}]{result.status:<8}[/{style}] {result.name:<10} {escape(result.seen)}",
        highlight=False,
        soft_wrap=True,
    )
    if result.remedy:
        console.print(
            f"{'':<20}to fix it: {escape(result.remedy)}", highlight=False, soft_wrap=True
        )
