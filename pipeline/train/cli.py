"""The commands about training: train, landscape."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors
from pipeline.options import Overrides, Resume, TrainingBudget, TrainingImages, TrainingOutput

app = typer.Typer()
PANEL = "Train"


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta train configs/train/default.toml --maps label_maps",
)
def train(  # noqa: PLR0913 - the options of the command
    config: Annotated[Path, typer.Argument(help="training file, see configs/train")],
    *,
    data: TrainingImages = None,
    maps: Annotated[
        Path | None, typer.Option(help="folder of label maps that images are made from")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="pair list to judge by (else the validation pairs of --data)"),
    ] = None,
    output: TrainingOutput = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
    resume: Resume = False,
    time_budget: TrainingBudget = None,
    overrides: Overrides = None,
) -> None:
    """Train or fine-tune a network.

    Exit code: 0 all epochs are done; 1 the time was up before, or it was stopped: add --resume to
    go on; 2 it cannot be begun or cannot go on.
    """
    from l2r.errors import ConfigError  # noqa: PLC0415
    from l2r.schema import read_toml  # noqa: PLC0415

    with one_line_errors():
        read_toml(config, ConfigError)  # before torch: a wrong path is named at once
        from pipeline.train.data import find_data  # noqa: PLC0415 - numpy and nibabel

        found = find_data(data, validation, maps)
        from pipeline.train import command as job  # noqa: PLC0415 - torch

        place = output or Path("output/train") / config.stem
        changes = tuple(overrides or ())
        request = job.TrainRequest(config, found, place, device, resume, time_budget, changes)
        state = job.train(request)
        typer.echo(f"{state}; {job.left_behind(place)}")
        if state != "finished":
            raise typer.Exit(1)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: regatta landscape FILE.toml --weights t1_brain --dataset PAIRS.json",
)
def landscape(  # noqa: PLR0913 - the options of the command
    config: Annotated[Path, typer.Argument(help="training file: objective, network, grid")],
    *,
    weights: Annotated[Path, typer.Option(help="the middle: a weights file, or a name")],
    dataset: Annotated[Path, typer.Option(help="pair list")],
    images: Annotated[
        Path | None, typer.Option("--input", help="images (else the list's folder)")
    ] = None,
    output: Annotated[Path, typer.Option(help="table of losses")] = Path("landscape.csv"),
    limit: Annotated[int, typer.Option(min=1, help="mean over so many pairs")] = 2,
    points: Annotated[int, typer.Option(min=2, help="along each direction")] = 21,
    reach: Annotated[
        float, typer.Option(min=0, help="farthest, where 1 is as far as the weights are from zero")
    ] = 1.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:n")] = "auto",
) -> None:
    """Compute a training's losses around given weights, along two random directions.

    `regatta figure landscape` draws such tables.

    Exit code: 0 the table is written; 2 it cannot be.
    """
    with one_line_errors():
        from l2r.dataset import read_pairs  # noqa: PLC0415

        pairs = read_pairs(dataset, images or dataset.parent)[:limit]
        from pipeline.train import landscape as job  # noqa: PLC0415 - torch

        job.landscape(job.LandscapeRequest(config, weights, pairs, reach, points, device), output)
        typer.echo(output)
