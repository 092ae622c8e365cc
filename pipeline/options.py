"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

TrainingImages: TypeAlias = Annotated[
    Path | None, typer.Option(help="pair list with training images, or a folder of images")
]
Resume: TypeAlias = Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")]
TrainingBudget: TypeAlias = Annotated[
    float | None, typer.Option(min=1, metavar="SECONDS", help="save and leave after so long")
]
TrainingOutput: TypeAlias = Annotated[
    Path | None, typer.Option(help="weights and checkpoints (else output/train/<config>)")
]
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
