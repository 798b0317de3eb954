"""The group `mixfront search`; its commands are defined in other files."""

import typer

search_app = typer.Typer(
    name="search",
    help="Check, run, submit, watch, stop and resume searches.",
    no_args_is_help=True,
)
