"""The command `mixfront`: one sub-command a file; errors become one sentence here."""

import sys
from collections.abc import Sequence

import typer

from mixfront.cli import (
    cost,
    data,
    doctor,
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
from mixfront.installation.extras import extras_named

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
    doctor,
):
    _command.register(app)
app.add_typer(search_app)
GROUPS = ("data", "search")  # commands that have commands


def main() -> None:
    """Entry point: a `MixfrontError` ends as one sentence and its exit status."""
    try:
        with extras_named(command_in(sys.argv[1:])):
            app()
    except MixfrontError as error:
        print(f"mixfront: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


def command_in(words: Sequence[str]) -> list[str]:
    """The command among the words after `mixfront`: `["search", "run"]`, without arguments."""
    names = [word for word in words if not word.startswith("-")]
    return names[: 2 if names and names[0] in GROUPS else 1]
