"""Options that several commands have."""

from typing import Annotated, TypeAlias

import typer

Overrides: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="a value of the file, as in seed=1 or refine.0.levels.0.steps=20; may be repeated",
        show_default="the file's",
    ),
]
"""Values of the command line in place of those of a run, training or experiment file."""
