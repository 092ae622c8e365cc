"""The commands about transforms: apply, points, invert, compose, jacobian, convert."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors

app = typer.Typer()
PANEL = "Transform"

Transforms = Annotated[
    list[str],
    typer.Option(
        "--transform",
        "-t",
        metavar="FILE[,inverse][,DIALECT]",
        help="from the reference to the image, as antsApplyTransforms lists them; may be repeated",
    ),
]
FixedImage = Annotated[
    Path | None,
    typer.Option(
        "--fixed",
        help="fixed image of the pair, where a file needs its grid",
        show_default="a Learn2Reg field's own header",
    ),
]
MovingImage = Annotated[
    Path | None,
    typer.Option(
        "--moving",
        help="moving image of the pair, where a file needs its grid",
        show_default="the fixed image's grid",
    ),
]
TaskName = Annotated[
    str | None, typer.Option("--task", help="challenge whose layout Learn2Reg fields have")
]


class InterpolationName(StrEnum):
    """Interpolations by name; `l2r.transforms.resample` has them."""

    LINEAR = "linear"
    CUBIC = "cubic"
    NEAREST = "nearest"
    GENERIC_LABEL = "generic-label"


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta apply moving.nii.gz labels.nii.gz -t disp_0001_0002.nii.gz "
    "--reference fixed.nii.gz --output warped",
)
def apply(  # noqa: PLR0913 - the options of the command
    images: Annotated[list[Path], typer.Argument(help="images, label maps and 4-D series")],
    *,
    transform: Transforms,
    reference: Annotated[Path, typer.Option(help="image whose grid the results get")],
    output: Annotated[Path, typer.Option(help="file of one image, or folder")],
    interpolation: Annotated[
        InterpolationName, typer.Option(help="of labels: nearest or generic-label")
    ] = InterpolationName.LINEAR,
    outside: Annotated[float, typer.Option(help="value beyond an image")] = 0.0,
    fixed: FixedImage = None,
    moving: MovingImage = None,
    task: TaskName = None,
) -> None:
    """Resample images by a chain of transforms, composed and interpolated once.

    Exit code: 0 done; 2 something cannot be used, and nothing of it is written.
    """
    with one_line_errors():
        from pipeline.transforms.apply import ApplyRequest, apply_chain  # noqa: PLC0415 - numpy
        from pipeline.transforms.chain import read_grids  # noqa: PLC0415

        grids = read_grids(fixed, moving, task)
        request = ApplyRequest(images, output, reference, interpolation.value, outside)
        for path in apply_chain(request, transform, grids):
            typer.echo(path)
