"""Lists of points: CSV, 3D Slicer's `.fcsv` and `.mrk.json`.

CSV has no statement of its unit; Slicer's lists are in RAS or LPS millimetres.

Source:
    slicer.readthedocs.io, developer guide, Markups: "Markups fiducial point list file format" and
    "Markups json file format".
"""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from l2r.errors import ImageError
from l2r.schema import read_json, read_text

PointArray = Float[np.ndarray, "points 3"]
System: TypeAlias = Literal["RAS", "LPS"]

SUFFIXES = (".csv", ".fcsv", ".mrk.json")
SIGNS: dict[System, tuple[int, int, int]] = {"RAS": (1, 1, 1), "LPS": (-1, -1, 1)}
"""Of the components, from each system to RAS and in reverse."""
_SYSTEMS: dict[str, System] = {"RAS": "RAS", "0": "RAS", "LPS": "LPS", "1": "LPS"}
"""By name; old versions of Slicer write numbers."""
_XYZ = ("x", "y", "z")


class PointList(NamedTuple):
    """Points as a file has them."""

    points: PointArray
    system: System | None
    """Of millimetres; None where the file does not say."""


def read_points(path: Path) -> PointList:
    """Read a list of points.

    Raises:
        ImageError: missing, of another kind, or a line is no point.
    """
    if path.name.endswith(".mrk.json"):
        places, known = _markups(path)
        return PointList(_array(path, [place["position"] for place in places]), known)
    rows, columns, system = _table(path)
    return PointList(points_of(path, rows, columns), system)


def with_points(path: Path, points: PointArray) -> str:
    """The text of a list with other coordinates: names, comments and further columns stay.

    Raises:
        ImageError: as for `read_points`.
    """
    if path.name.endswith(".mrk.json"):
        raw: Any = read_json(path, ImageError)
        places = [place for part in raw["markups"] for place in part["controlPoints"]]
        for place, point in zip(places, points.tolist(), strict=True):
            place["position"] = point
        return json.dumps(raw, indent=2) + "\n"
    rows, columns, _ = _table(path)
    replaced = {
        number: _cells(line, columns, p) for (number, line), p in zip(rows, points, strict=True)
    }
    lines = read_text(path, ImageError).splitlines()
    return "".join(f"{replaced.get(number, line)}\n" for number, line in enumerate(lines, start=1))


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not empty, with their numbers."""
    numbered = enumerate(read_text(path, ImageError).splitlines(), start=1)
    return [(number, line) for number, line in numbered if line.strip()]


def points_of(
    path: Path, rows: list[tuple[int, str]], columns: tuple[int, int, int], width: int | None = None
) -> PointArray:
    """Read points from lines of numbers.

    Args:
        path: for messages.
        rows: lines with their numbers.
        columns: of x, y and z.
        width: number of columns that every line must have.

    Raises:
        ImageError: a line is no point, or there is none.
    """
    points = []
    for number, line in rows:
        cells = line.split(",")
        try:
            point = [float(cells[place]) for place in columns]
        except (ValueError, IndexError):
            point = []
        if len(cells) != (width or len(cells)) or not np.isfinite(point).all() or not point:
            raise ImageError(
                f"{path}: line {number}: {line[:60]!r}, expected the numbers x, y, z of a point"
            )
        points.append(point)
    return _array(path, points)


def _table(path: Path) -> tuple[list[tuple[int, str]], tuple[int, int, int], System | None]:
    """Lines of points, their columns, and the system of coordinates."""
    lines = numbered_lines(path)
    if path.suffix == ".fcsv":
        rows = [(number, line) for number, line in lines if not line.startswith("#")]
        return rows, *_fcsv_header(path, lines)
    names = [name.strip().lower() for name in lines[0][1].split(",")] if lines else []
    if set(_XYZ) <= set(names):  # a heading, as ANTs wants it
        return lines[1:], (names.index("x"), names.index("y"), names.index("z")), None
    return lines, (0, 1, 2), None


def _fcsv_header(path: Path, lines: list[tuple[int, str]]) -> tuple[tuple[int, int, int], System]:
    settings = dict(
        [part.strip() for part in line.lstrip("# ").split("=", 1)]
        for _, line in lines
        if line.startswith("#") and "=" in line
    )
    names = settings.get("columns", "id,x,y,z").split(",")
    if not set(_XYZ) <= set(names):
        raise ImageError(f"{path}: columns {','.join(names)}, expected x, y and z among them")
    columns = names.index("x"), names.index("y"), names.index("z")
    return columns, _system(path, settings.get("CoordinateSystem", "RAS"))


def _markups(path: Path) -> tuple[list[dict[str, Any]], System]:
    raw: Any = read_json(path, ImageError)
    try:
        parts = raw["markups"]
        places = [place for part in parts for place in part["controlPoints"]]
        systems = {_system(path, part.get("coordinateSystem", "LPS")) for part in parts}
        (system,) = systems
        [place["position"] for place in places]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ImageError(
            f"{path}: not a list of 3D Slicer: markups with controlPoints, each with a position, "
            "in one coordinate system are expected"
        ) from None
    return places, system


def _system(path: Path, name: object) -> System:
    if str(name) not in _SYSTEMS:
        raise ImageError(
            f"{path}: coordinate system {name!r}, expected RAS or LPS; save the list again"
        )
    return _SYSTEMS[str(name)]


def _cells(line: str, columns: tuple[int, int, int], point: Float[np.ndarray, " 3"]) -> str:
    cells = line.split(",")
    for place, number in zip(columns, point.tolist(), strict=True):
        cells[place] = f"{number:.9g}"
    return ",".join(cells)


def _array(path: Path, points: list[Any]) -> PointArray:
    if not points:
        raise ImageError(f"{path}: no point; a list of key points is expected")
    try:
        found = np.array(points, np.float64).reshape(len(points), 3)
    except (ValueError, TypeError):
        found = np.full((1, 3), np.nan)
    if not np.isfinite(found).all():
        raise ImageError(f"{path}: a point has not three finite numbers")
    return found
