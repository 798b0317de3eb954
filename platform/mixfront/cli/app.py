"""The command `mixfront`, which prints every error as one sentence."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from mixfront.cli import (
    cluster,
    cost,
    data,
    doctor,
    families,
    pareto,
    promote,
    reproduce,
    rollback,
    search_run,
    submit,
    train,
    trials,
    validate,
)
from mixfront.cli.crash_log import write_crash_log
from mixfront.cli.file_errors import CommandGroup
from mixfront.cli.search_app import search_app
from mixfront.exceptions import MixfrontError
from mixfront.installation.extras import extras_named
from mixfront.records.scrub import describe_error

DEBUG_VARIABLE = "MIXFRONT_DEBUG"

app = typer.Typer(
    name="mixfront",
    cls=CommandGroup,
    help="Find the Pareto front of feature-mixing ranking models on your own logs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for _command in (
    data,
    families,
    cost,
    train,
    validate,
    search_run,
    submit,
    trials,
    pareto,
    reproduce,
    promote,
    rollback,
    cluster,
    doctor,
):
    _command.register(app)
app.add_typer(search_app)
GROUPS = ("cluster", "data", "search")  # commands with sub-commands


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Find the Pareto front of feature-mixing ranking models on your own logs."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main() -> None:
    """Run the command line; an error becomes one sentence and an exit status."""
    try:
        with extras_named(command_in(sys.argv[1:])):
            app()
    except MixfrontError as error:
        _exit(error, str(error), error.exit_status)
    except Exception as error:
        _exit(error, _unexpected(error), 1)


def _exit(error: Exception, sentence: str, status: int) -> NoReturn:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    print(f"mixfront: {sentence}", file=sys.stderr)
    sys.exit(status)


def _unexpected(error: Exception) -> str:
    try:
        where = f"its traceback is in {write_crash_log(error)}"
    except OSError:
        where = "its traceback could not be saved"
    return (
        f"unexpected error: {describe_error(error)}; {where}, and `mixfront --debug ...` shows it"
    )


def command_in(words: Sequence[str]) -> list[str]:
    """The command in the words after `mixfront`, such as `["search", "run"]`."""
    names = [word for word in words if not word.startswith("-")]
    return names[: 2 if names and names[0] in GROUPS else 1]
