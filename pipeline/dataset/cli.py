"""The commands about data sets: convert, split, folds."""

from pathlib import Path
from typing import Annotated

import typer

from l2r.console import one_line_errors

app = typer.Typer(no_args_is_help=True, help="Convert public data sets, and write pair lists.")

Seed = Annotated[int, typer.Option(min=0, help="of what is drawn")]
Atlas = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="image of the folder, relative to it, which is moved onto all others",
        show_default="images are paired with each other",
    ),
]
ListFile = Annotated[
    Path | None,
    typer.Option("--output", help="the pair list", show_default="FOLDER/split_dataset.json"),
]


@app.command(epilog="Example: regatta dataset convert ixi IXI_data ixi --counts 200,20,20")
def convert(
    kind: Annotated[str, typer.Argument(help="ixi, lpba40, mindboggle or oasis")],
    source: Annotated[Path, typer.Argument(help="folder of the data set as it is shared")],
    output: Annotated[Path, typer.Argument(help="folder of images, label maps and pair list")],
    *,
    counts: Annotated[
        str | None,
        typer.Option(
            metavar="TRAINING,VALIDATION,TEST",
            help="subjects that are drawn of each split",
            show_default="all of the source",
        ),
    ] = None,
    seed: Seed = 42,
) -> None:
    """Write a public data set in the layout that run, train and score read.

    Exit code: 0 it is written; 2 it cannot be.
    """
    with one_line_errors():
        from l2r.console import progress  # noqa: PLC0415
        from l2r.errors import DatasetError  # noqa: PLC0415
        from pipeline.dataset.catalog import CONVERTERS  # noqa: PLC0415 - numpy and nibabel
        from pipeline.dataset.choice import SplitChoice  # noqa: PLC0415
        from pipeline.dataset.subjects import FOLDERS, write_dataset  # noqa: PLC0415
        from pipeline.workdir import open_folder  # noqa: PLC0415

        if kind not in CONVERTERS:
            raise DatasetError(f"no converter {kind!r}; there are {', '.join(CONVERTERS)}")
        converter = CONVERTERS[kind]
        plan = converter.plan(source, SplitChoice.parse(counts, seed))
        sizes = {split: len(plan.subjects(split)) for split in FOLDERS}
        with progress(sum(sizes.values()), f"convert {kind}") as advance:
            path = write_dataset(open_folder(output), converter.name, plan, advance)
        typer.echo(f"{path}: {', '.join(f'{n} {split}' for split, n in sizes.items())} subjects")


@app.command(epilog="Example: regatta dataset split folder --counts 30,5,5 --seed 1")
def split(
    folder: Annotated[Path, typer.Argument(help="folder of images")],
    *,
    counts: Annotated[str, typer.Option(metavar="TRAINING,VALIDATION,TEST", help="sizes")],
    seed: Seed = 0,
    atlas: Atlas = None,
    output: ListFile = None,
) -> None:
    """Write a pair list with a seeded split of a folder's images.

    Exit code: 0 it is written; 2 it cannot be.
    """
    with one_line_errors():
        from pipeline.dataset.choice import SplitChoice  # noqa: PLC0415
        from pipeline.dataset.lists import ListRequest, write_split  # noqa: PLC0415

        place = output or folder / "split_dataset.json"
        sizes = SplitChoice.parse(counts, seed).counts or ()
        typer.echo(write_split(ListRequest(folder, place, seed, atlas), sizes))


@app.command(epilog="Example: regatta dataset folds folder --folds 5 --seed 1")
def folds(
    folder: Annotated[Path, typer.Argument(help="folder of images")],
    *,
    count: Annotated[int, typer.Option("--folds", min=2, help="parts; one list each")] = 5,
    seed: Seed = 0,
    atlas: Atlas = None,
    output: ListFile = None,
) -> None:
    """Write the pair lists of a cross-validation.

    Exit code: 0 they are written; 2 they cannot be.
    """
    with one_line_errors():
        from pipeline.dataset.lists import ListRequest, write_folds  # noqa: PLC0415

        place = output or folder / "split_dataset.json"
        for path in write_folds(ListRequest(folder, place, seed, atlas), count):
            typer.echo(path)
