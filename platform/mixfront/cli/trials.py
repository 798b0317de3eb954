"""`mixfront trials`: every trial of a search."""

import json
import math
from typing import TYPE_CHECKING, Any

import typer

from mixfront.cli.options import AsJson, SearchName, Storage

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mixfront.records import SearchRecord, TrialRecord

STYLES = {
    "complete": "green",
    "running": "cyan",
    "interrupted": "yellow",
    "failed": "red",
}


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("trials")(trials)


def trials(
    search: SearchName,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """List the trials of a search: state, objectives, model.

    Example: `mixfront trials demo`
    """
    from mixfront.records import locate_search

    store = locate_search(search, storage)
    records = store.trials()
    if as_json:
        typer.echo(json.dumps([_as_json(trial) for trial in records], indent=2))
        return
    from rich.console import Console

    from mixfront.pareto import count_states

    console = Console(markup=False)
    console.print(_table(store.search(), records))
    counts = ", ".join(
        f"{count} {state}" for state, count in count_states(records).items() if count
    )
    for trial in records:
        print_notes(trial, console, f"trial {trial.trial_id}: ")
    console.print(
        f"\n{counts or 'no trial yet'}; * marks the front (`mixfront pareto {store.name}`)"
    )


def _as_json(trial: "TrialRecord") -> dict[str, Any]:
    from mixfront.records.trial_notes import trial_notes

    return {
        "trial_id": trial.trial_id,
        "family": trial.family,
        "state": str(trial.state),
        "fidelity": trial.fidelity,
        "values": {name: finite_or_none(value) for name, value in trial.values.items()},
        "config": trial.config,
        "run_id": trial.run_id,
        "notes": trial_notes(trial),
    }


def print_notes(trial: "TrialRecord", console: "Console", prefix: str = "") -> None:
    """Print the notes on a trial, if there are any."""
    from mixfront.records.trial_notes import trial_notes

    for note in trial_notes(trial):
        console.print(f"note: {prefix}{note}", highlight=False, soft_wrap=True)


def finite_or_none(value: float) -> float | None:
    """The number, or None for NaN and infinity, which JSON lacks."""
    return value if math.isfinite(value) else None


def _table(search: "SearchRecord", records: "list[TrialRecord]") -> "Table":
    from rich.table import Table

    from mixfront.pareto import front_of
    from mixfront.pareto.formatting import label

    front = front_of(records, search.objectives, search.reference_point)
    table = Table("trial", "state", "family", box=None, pad_edge=False)
    table.add_column("trained", justify="right")
    for objective in search.objectives:
        table.add_column(label(objective), justify="right")
    table.add_column("model, or error")
    for trial in records:
        table.add_row(*_row(trial, search, is_best=front.ranks.get(trial.trial_id) == 0))
    return table


def _row(trial: "TrialRecord", search: "SearchRecord", is_best: bool) -> "list[str | Text]":
    from rich.text import Text

    from mixfront.pareto.formatting import format_value, key_params

    values = [
        format_value(o.metric, trial.values.get(o.metric, trial.costs.get(o.metric)))
        for o in search.objectives
    ]
    return [
        f"{trial.trial_id}{'*' if is_best else ''}",
        Text(str(trial.state), STYLES.get(trial.state, "dim")),
        trial.family,
        f"{trial.fidelity:.0%}",
        *values,
        _violations(trial) or trial.error or key_params(trial.config),
    ]


def _violations(trial: "TrialRecord") -> str:
    broken = [name for name, amount in trial.violations.items() if amount > 0]
    return f"violates the constraint on {', '.join(broken)}" if broken else ""
