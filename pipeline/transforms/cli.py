"""The commands about transforms: apply, points, invert, compose, jacobian, convert."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors
from l2r.transforms.words import Interpolation
from pipeline.transforms.words import MapKind, PairFiles, Side, Units

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


OutputFile = Annotated[
    str,
    typer.Option(
        "--output",
        metavar="FILE[,DIALECT]",
        help="the transform to write; .nii.gz and .mha are ITK's fields unless ,learn2reg follows",
    ),
]
OneTransform = Annotated[str, typer.Argument(metavar="FILE[,inverse][,DIALECT]")]


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
        Interpolation, typer.Option(help="of labels: nearest or generic-label")
    ] = "linear",
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

        request = ApplyRequest(images, output, reference, interpolation, outside)
        for path in apply_chain(request, transform, PairFiles(fixed, moving, task)):
            typer.echo(path)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta points fixed.fcsv -t 1Warp.nii.gz -t 0GenericAffine.mat "
    "--output moving.fcsv",
)
def points(  # noqa: PLR0913
    points: Annotated[Path, typer.Argument(help=".csv, .fcsv or .mrk.json")],
    *,
    transform: Transforms,
    output: Annotated[Path, typer.Option(help="list to write, of the same kind")],
    units: Annotated[
        Units | None,
        typer.Option(help="of a CSV; lists of 3D Slicer have their own", show_default="none"),
    ] = None,
    to: Annotated[Side, typer.Option(help="image that the points are brought to")] = "moving",
    fixed: FixedImage = None,
    moving: MovingImage = None,
    task: TaskName = None,
) -> None:
    """Bring points from the fixed to the moving image, or with --to fixed the other way.

    Transforms are listed as for `apply`. Where `apply` fetches a moving image onto the fixed grid,
    the same chain sends points of the fixed image to the moving one.

    Exit code: 0 done; 2 something cannot be used, and nothing is written.
    """
    with one_line_errors():
        from pipeline.transforms.points import PointsRequest, move_points  # noqa: PLC0415

        request = PointsRequest(points, output, units, to)
        files = PairFiles(fixed, moving, task)
        typer.echo(f"{output}: {move_points(request, transform, files)}")


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta invert 1Warp.nii.gz --output 1InverseWarp.nii.gz",
)
def invert(  # noqa: PLR0913
    transform: OneTransform,
    *,
    output: OutputFile,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="image whose grid the inverse gets",
            show_default="the moving image's, else the field's own grid",
        ),
    ] = None,
    residual: Annotated[
        Path | None, typer.Option(help="map of the residual in voxels to write")
    ] = None,
    fixed: FixedImage = None,
    moving: MovingImage = None,
    task: TaskName = None,
) -> None:
    """Invert a transform, and say by how many voxels forward and inverse miss the start.

    Exit code: 0 done; 2 it cannot be done, and nothing is written.
    """
    with one_line_errors():
        from pipeline.transforms.convert import Output, invert_file  # noqa: PLC0415

        files, target = PairFiles(fixed, moving, task), Output.parse(output)
        for line in invert_file(transform, target, files, reference, residual):
            typer.echo(line)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta compose -t 1Warp.nii.gz -t 0GenericAffine.mat --output whole.nii.gz",
)
def compose(
    *,
    transform: Transforms,
    output: OutputFile,
    reference: Annotated[
        Path | None,
        typer.Option(help="image whose grid a field gets", show_default="the first field's"),
    ] = None,
    fixed: FixedImage = None,
    moving: MovingImage = None,
    task: TaskName = None,
) -> None:
    """Compose a chain of transforms into one.

    Exit code: 0 done; 2 it cannot be done, and nothing is written.
    """
    with one_line_errors():
        from pipeline.transforms.convert import Output, compose_files  # noqa: PLC0415

        files, target = PairFiles(fixed, moving, task), Output.parse(output)
        typer.echo(f"{target.path}: {compose_files(transform, target, files, reference)}")


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta jacobian -t 1Warp.nii.gz --map log --output logjacobian.nii.gz",
)
def jacobian(  # noqa: PLR0913
    *,
    transform: Transforms,
    output: Annotated[Path, typer.Option(help="image to write")],
    kind: Annotated[MapKind, typer.Option("--map", help="values of the image")] = "determinant",
    reference: Annotated[
        Path | None,
        typer.Option(help="image whose grid is used", show_default="the first field's"),
    ] = None,
    fixed: FixedImage = None,
    moving: MovingImage = None,
    task: TaskName = None,
) -> None:
    """Map the volume change of a chain of transforms, its logarithm or its folds.

    Exit code: 0 done; 2 it cannot be done, and nothing is written.
    """
    with one_line_errors():
        from pipeline.transforms.convert import jacobian_map  # noqa: PLC0415

        files = PairFiles(fixed, moving, task)
        typer.echo(f"{output}: {jacobian_map(transform, output, files, reference, kind)}")


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta convert disp_0001_0002.nii.gz 1Warp.nii.gz",
)
def convert(
    transform: OneTransform,
    output: Annotated[str, typer.Argument(metavar="FILE[,DIALECT]")],
    *,
    fixed: FixedImage = None,
    moving: MovingImage = None,
    task: TaskName = None,
) -> None:
    """Write a transform as another program reads it.

    Exit code: 0 done; 2 it cannot be done, and nothing is written.
    """
    with one_line_errors():
        from pipeline.transforms import convert as job  # noqa: PLC0415 - numpy

        target = job.Output.parse(output)
        job.convert(transform, target, PairFiles(fixed, moving, task))
        typer.echo(target.path)
