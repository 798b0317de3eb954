"""The group `mixfront search`; each of its commands is in a file of its own."""

import typer

search_app = typer.Typer(
    name="search",
    help="Check, run, submit, watch, stop and resume searches.",
    no_args_is_help=True,
)
