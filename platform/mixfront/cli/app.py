"""The command `mixfront`: one sub-command a file; errors become one sentence here."""

import sys

import typer

from mixfront.cli import (
    cost,
    data,
    families,
    pareto,
    promote,
    rollback,
    search_run,
    submit,
    trials,
    validate,
)
from mixfront.cli.search_app import search_app
from mixfront.exceptions import MixfrontError

app = typer.Typer(
    name="mixfront",
    help="Find the Pareto front of feature-mixing ranking models on your own logs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for _command in (
    data,
    families,
    cost,
    validate,
    search_run,
    submit,
    trials,
    pareto,
    promote,
    rollback,
):
    _command.register(app)
app.add_typer(search_app)


def main() -> None:
    """Entry point: a `MixfrontError` ends as one sentence and its exit status."""
    try:
        app()
    except MixfrontError as error:
        print(f"mixfront: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
