"""`mixfront train`: train one configuration, in the same way as any trial."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from mixfront.cli.cost import parse_options
from mixfront.cli.drive import prepare_and_drive, print_end
from mixfront.cli.options import AsJson, SpecSource
from mixfront.cli.trials import print_notes
from mixfront.exceptions import TrialError

if TYPE_CHECKING:
    from rich.table import Table

    from mixfront.records import TrialRecord
    from mixfront.spec.search_spec import SearchSpec


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("train")(train)


def train(
    spec: SpecSource,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--override",
            metavar="KEY=VALUE",
            help="A hyperparameter (family=unimixer, rank=8, optimizer.lr=1e-3) or a value of "
            "the spec (data.path=URL, training.passes=2); repeatable.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the new search; by default, the spec's name with -train."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train one configuration as a search with one trial, which can be promoted.

    With `-o family=...`, the other overrides apply to the family's defaults. Without it, they
    apply to the first configuration that the spec enqueues.

    Example: `mixfront train demo -o family=unimixer -o num_tokens=8 -o block_size=4`
    """
    from mixfront.search.single import choose_config, single_spec, split_overrides
    from mixfront.spec.search_spec import load_spec

    console = Console(stderr=as_json, markup=False)
    of_spec, of_config = split_overrides(option or [])
    loaded = load_spec(spec, of_spec)
    config = choose_config(loaded, parse_options(of_config))
    with single_spec(loaded, config, name or free_name(loaded, "train")) as single:
        result = prepare_and_drive(single, console)
    print_end(result, console)
    trial = result.trials[0] if result.trials else None
    if trial is None or trial.state != "complete":
        raise TrialError(f"the trial is {trial.state}: {trial.error}" if trial else "no trial ran")
    if as_json:
        typer.echo(json.dumps(trial_json(single.name, trial), indent=1))
        return
    console.print(metrics_table(trial))
    print_notes(trial, console)
    console.print(
        f"promote it with: mixfront promote {single.name} --trial {trial.trial_id} --name MODEL",
        highlight=False,
        soft_wrap=True,
    )


def free_name(spec: "SearchSpec", suffix: str) -> str:
    """A name that no search in the storage has, such as "demo-train" or "demo-train-2"."""
    from mixfront.records import list_searches

    taken = set(list_searches(spec.storage))
    stem = f"{spec.name}-{suffix}"
    names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def trial_json(search: str, trial: "TrialRecord") -> dict[str, Any]:
    """A trained trial as JSON."""
    return {
        "search": search,
        "trial_id": trial.trial_id,
        "family": trial.family,
        "config": trial.config,
        "metrics": trial.metrics,
        "costs": trial.costs,
        "model_url": trial.model_url,
    }


def metrics_table(trial: "TrialRecord") -> "Table":
    """A table of a trial's costs and metrics."""
    from rich.table import Table

    from mixfront.pareto.formatting import format_value
    from mixfront.spec.metrics import describe_metric
    from mixfront.training.request import TEST_PREFIX

    table = Table("metric", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    for name, value in {**trial.costs, **trial.metrics}.items():
        suffix = ", test" if name.startswith(TEST_PREFIX) else ""
        if not name.startswith(("mixing/", "experts/")):
            table.add_row(describe_metric(name).title + suffix, format_value(name, value))
    return table
