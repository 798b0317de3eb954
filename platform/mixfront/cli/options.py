"""Arguments and options that several commands share."""

from typing import Annotated

import typer

SearchName = Annotated[
    str,
    typer.Argument(
        metavar="SEARCH", help="Name of a search, its folder (path or URL), or its spec file."
    ),
]
SpecSource = Annotated[
    str,
    typer.Argument(
        metavar="SPEC", help="A spec file, its URL, or a packaged spec such as `demo`."
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        envvar="MIXFRONT_STORAGE",
        help="Where searches are kept; ./mixfront-searches by default.",
    ),
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--override",
        metavar="KEY=VALUE",
        help="Replace a value of the spec, such as search.trials=40 or data.path=URL; repeatable.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
