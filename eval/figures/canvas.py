"""The common look of figures, and their files."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from l2r.disk import writing
from l2r.errors import OutputError
from l2r.path_names import distinct_names

SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000")
"""Of Okabe and Ito, told apart with any kind of colour vision."""
_GENERIC = frozenset({"log", "manifest", "metrics"})
"""Names of files that every run has."""
STYLES = ("-", "--", "-.", ":")
_LOOK: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "regatta",
    "pdf.fonttype": 42,
    "savefig.dpi": 150,
}
"""Text stays text in vector files, and the same figure is the same file."""
_NO_DATE = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


def check_output(path: Path) -> None:
    """Refuse a name of another format, or a folder that is missing, before anything is computed.

    Raises:
        OutputError: it is no file that a figure can be written to.
    """
    if path.suffix not in SUFFIXES:
        raise OutputError(f"{path}: its name must end in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: its folder does not exist")


def look() -> AbstractContextManager[None]:
    """A context in which all text and lines of a figure are made."""
    return mpl.rc_context(_LOOK)


def panels(
    rows: int, columns: int, size_in: tuple[float, float]
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a table of axes.

    Args:
        rows: of the table.
        columns: of the table.
        size_in: width and height of each axes in inches.
    """
    figure = Figure(figsize=(columns * size_in[0], rows * size_in[1]), layout="constrained")
    return figure, [list(row) for row in figure.subplots(rows, columns, squeeze=False)]


def save(figure: Figure, path: Path) -> None:
    """Write a figure; a file of the same name is replaced, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with writing(path) as file, look():
        figure.savefig(file, format=path.suffix[1:], metadata=_NO_DATE[path.suffix])


def titles_of(files: Sequence[Path]) -> list[str]:
    """Name several runs by their files, or by the folders where files have one name in all runs."""
    stems = [path.with_name(path.name.partition(".")[0]) for path in files]
    alike = len(stems) > 1 and len({path.name for path in stems}) == 1
    return distinct_names(
        [path.resolve().parent if alike or path.name in _GENERIC else path for path in stems]
    )


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each of several runs or losses; beyond seven they repeat."""
    return {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
