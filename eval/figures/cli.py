"""The commands that draw figures, one for each kind."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l2r.console import one_line_errors
from l2r.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eval.figures.pair_figures import PairFigure

app = typer.Typer(no_args_is_help=True, help="Draw figures for papers: PNG, SVG or PDF.")

FixedArgument = Annotated[Path, typer.Argument(help="fixed image")]
MovingArgument = Annotated[Path, typer.Argument(help="moving image")]
FieldFiles = Annotated[
    list[Path], typer.Argument(help="displacement fields; each is named after its folder")
]
FigureFile = Annotated[Path, typer.Option(help="the figure, .png, .svg or .pdf")]


@contextmanager
def _drawing(output: Path) -> Iterator[None]:
    """Check what can be checked before anything is computed, and draw in the common look."""
    with one_line_errors():
        if importlib.util.find_spec("matplotlib") is None:
            raise ConfigError("figures need matplotlib: pip install 'regatta[figures]'")
        from eval.figures.canvas import check_output, look  # noqa: PLC0415 - matplotlib

        check_output(output)
        with look():
            yield


def _save(figure: "Figure", output: Path) -> None:
    from eval.figures.canvas import save  # noqa: PLC0415

    save(figure, output)
    typer.echo(output)


def _pair(
    paths: tuple[Path, Path, list[Path]], output: Path, draw: Callable[["PairFigure"], "Figure"]
) -> None:
    with _drawing(output):
        from eval.figures.pair_figures import read_pair_figure  # noqa: PLC0415

        _save(draw(read_pair_figure(*paths)), output)


@app.command(epilog="Example: regatta figure slices F.nii.gz M.nii.gz FIELD.nii.gz --output x.png")
def slices(
    fixed: FixedArgument, moving: MovingArgument, fields: FieldFiles, *, output: FigureFile
) -> None:
    """Draw fixed, moving and warped images in three planes."""
    _pair((fixed, moving, fields), output, lambda pair: pair.slices())


@app.command()
def difference(
    fixed: FixedArgument, moving: MovingArgument, fields: FieldFiles, *, output: FigureFile
) -> None:
    """Draw the difference of both images before and after."""
    _pair((fixed, moving, fields), output, lambda pair: pair.difference())


@app.command()
def displacement(
    fixed: FixedArgument, moving: MovingArgument, fields: FieldFiles, *, output: FigureFile
) -> None:
    """Draw fields as colours and as deformed grids."""
    _pair((fixed, moving, fields), output, lambda pair: pair.displacement())


@app.command()
def correlation(
    fixed: FixedArgument, moving: MovingArgument, fields: FieldFiles, *, output: FigureFile
) -> None:
    """Draw maps of gradient correlation before and after, and their difference."""
    _pair((fixed, moving, fields), output, lambda pair: pair.correlation())


@app.command("log-jacobian")
def log_jacobian(
    fixed: FixedArgument, moving: MovingArgument, fields: FieldFiles, *, output: FigureFile
) -> None:
    """Draw the logarithm of Jacobian determinants, with folds marked."""
    _pair((fixed, moving, fields), output, lambda pair: pair.jacobian())


@app.command()
def inverse(
    fixed: FixedArgument,
    moving: MovingArgument,
    field: Annotated[Path, typer.Argument()],
    *,
    output: FigureFile,
) -> None:
    """Draw the forward and the inverse warp, and the error of their composition."""
    _pair((fixed, moving, [field]), output, lambda pair: pair.inverse())


@app.command()
def training(
    logs: Annotated[list[Path], typer.Argument(help="log.jsonl of trainings")],
    *,
    output: FigureFile,
) -> None:
    """Draw losses and scores of one or several trainings."""
    with _drawing(output):
        from eval.figures.curve_figures import training as draw  # noqa: PLC0415

        _save(draw(logs), output)


@app.command()
def landscape(
    tables: Annotated[list[Path], typer.Argument(help="tables of `regatta landscape`")],
    *,
    output: FigureFile,
) -> None:
    """Draw loss landscapes side by side, each from its lowest place up."""
    with _drawing(output):
        from eval.figures.curve_figures import landscape as draw  # noqa: PLC0415

        _save(draw(tables), output)


@app.command()
def refinement(
    manifests: Annotated[
        list[Path], typer.Argument(help="manifest.json of runs, or their folders")
    ],
    *,
    pair: Annotated[
        str | None,
        typer.Option(help="name of the pair's field", show_default="the first that all have"),
    ] = None,
    output: FigureFile,
) -> None:
    """Draw losses and cosines of gradients over the steps of a refinement."""
    with _drawing(output):
        from eval.figures.curve_figures import refinement as draw  # noqa: PLC0415

        _save(draw(manifests, pair), output)


@app.command()
def structures(
    scores: Annotated[list[Path], typer.Argument(help="metrics.json of submissions")],
    *,
    task: Annotated[str, typer.Option(help="name of the task, or a task file")] = "lumir24",
    metric: Annotated[str, typer.Option(help="one that goes by structures")] = "DSC",
    output: FigureFile,
) -> None:
    """Draw box plots of every structure over several submissions."""
    with _drawing(output):
        from eval.figures.structure_figures import structures as draw  # noqa: PLC0415
        from eval.protocol import protocol_of  # noqa: PLC0415
        from l2r.task import load_task  # noqa: PLC0415

        _save(draw(scores, protocol_of(load_task(task)), metric), output)
