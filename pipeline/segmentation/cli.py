"""The commands about the segmentation of brains: segment, train-segmentation."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors
from pipeline.options import Overrides, Resume, TrainingBudget, TrainingImages, TrainingOutput

app = typer.Typer()

DEFAULT = Path("t1_anatomy")


@app.command(
    rich_help_panel="Register",
    epilog="Example: regatta segment sample/imagesVal/*.nii.gz --output segmented",
)
def segment(
    images: Annotated[list[Path], typer.Argument(help="T1-weighted brains without skull")],
    *,
    output: Annotated[Path, typer.Option(help="label maps, volumes.csv and pictures")],
    weights: Annotated[
        Path, typer.Option(help="weights of a segmentation, a file or a name")
    ] = DEFAULT,
    task: Annotated[str, typer.Option(help="task that scales intensities")] = "lumir24",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
) -> None:
    """Segment T1-weighted brains: FreeSurfer's 31 structures, each image on its own grid.

    Exit code: 0 all are segmented; 1 some could not be, which the last lines name; 2 nothing could
    be begun.
    """
    with one_line_errors():
        from pipeline.segmentation import segment as job  # noqa: PLC0415 - torch

        request = job.SegmentRequest(images, output, weights, task, device)
        failed = [result for result in job.segment_images(request) if result.error]
        typer.echo(f"{len(images) - len(failed)} of {len(images)} segmented in {output}")
        for result in failed:
            typer.echo(f"{result.name}: {result.error}", err=True)
        if failed:
            raise typer.Exit(1)


@app.command(
    rich_help_panel="Train",
    epilog="Example: regatta train-segmentation configs/train/segmentation/t1_anatomy.toml "
    "--maps label_maps --data images",
)
def train_segmentation(  # noqa: PLR0913 - the options of the command
    config: Annotated[
        Path, typer.Argument(help="training file: configs/train/segmentation/t1_anatomy.toml")
    ],
    *,
    maps: Annotated[Path, typer.Option(help="folder of maps of FreeSurfer's labels")],
    data: TrainingImages = None,
    labels: Annotated[
        Path | None, typer.Option(help="folder of label maps of the images, of the same names")
    ] = None,
    output: TrainingOutput = None,
    task: Annotated[str, typer.Option(help="task that scales intensities")] = "lumir24",
    resume: Resume = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
    time_budget: TrainingBudget = None,
    overrides: Overrides = None,
) -> None:
    """Train the network that segments brains.

    Exit code: 0 all steps are done; 1 the time was up before: add --resume to go on; 2 it cannot be
    begun or cannot go on.
    """
    with one_line_errors():
        from pipeline.train.data import find_data  # noqa: PLC0415 - numpy and nibabel

        found = find_data(data, maps=maps)
        from models.training.state import LAST  # noqa: PLC0415 - torch
        from pipeline.segmentation import train as job  # noqa: PLC0415 - torch

        place = output or Path("output/train") / config.stem
        changes = tuple(overrides or ())
        request = job.SegmentationRequest(
            config, found, labels, place, resume, device, time_budget, task, changes
        )
        done = job.train_segmentation(request)
        typer.echo(f"{place / LAST}: weights")
        if not done:
            raise typer.Exit(1)
