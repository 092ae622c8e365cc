"""`regatta points`, as a user calls it: directions, units, kinds of lists, SimpleITK as oracle."""

import json
from pathlib import Path

import numpy as np
import pytest

from l2r.formats.points import read_points
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import write_transform
from l2r.formats.volumes import write_volume
from l2r.transforms.base import TransformChain
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points, smooth_volume, turn
from tests.pipeline.conftest import Command

FIELD, MATRIX = bumps(FIXED), turn()
CHAIN = TransformChain([FIELD, MATRIX])
POINTS = inner_points(FIXED, 12)
LPS = np.array([-1, -1, 1])
HEAD = (
    "# Markups fiducial file version = 4.11\n# CoordinateSystem = {0}\n# columns = id,x,y,z,label\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An oblique pair, a chain between it, and the same points in several lists."""
    for name, grid in (("fixed", FIXED), ("moving", MOVING)):
        write_volume(tmp_path / f"{name}.nii.gz", smooth_volume(grid.shape), grid.affine)
    grids = PairGrids(FIXED, MOVING)
    write_transform(tmp_path / "warp.nii.gz", [FIELD], grids, "itk")
    write_transform(tmp_path / "affine.mat", [MATRIX], grids)
    lists(tmp_path, "fixed", POINTS, FIXED.affine)
    return tmp_path


def lists(folder: Path, name: str, points: np.ndarray, affine: np.ndarray) -> None:
    """Write the points as voxels, and in both systems of millimetres."""
    inverse = np.linalg.inv(affine)
    table(folder / f"{name}_voxels.csv", points @ inverse[:3, :3].T + inverse[:3, 3])
    table(folder / f"{name}_ras.csv", points)
    table(folder / f"{name}_lps.csv", points * LPS)
    rows = "".join(f"p{n},{x},{y},{z},here\n" for n, (x, y, z) in enumerate(points.tolist()))
    (folder / f"{name}.fcsv").write_text(HEAD.format("RAS") + rows)
    places = [{"label": f"p{n}", "position": p} for n, p in enumerate((points * LPS).tolist())]
    markups = {"markups": [{"coordinateSystem": "LPS", "controlPoints": places}]}
    (folder / f"{name}.mrk.json").write_text(json.dumps(markups))


def table(path: Path, points: np.ndarray) -> None:
    path.write_text("".join(f"{x},{y},{z}\n" for x, y, z in points.tolist()))


def moved(command: Command, folder: Path, name: str, *words: str) -> np.ndarray:
    """The points of a list after the chain, as the list that is written has them."""
    output = folder / f"out{name[name.index('.') :]}"
    ran = command(
        *("points", folder / name, "--output", output, *words),
        *("-t", folder / "warp.nii.gz", "-t", folder / "affine.mat"),
        *("--fixed", folder / "fixed.nii.gz", "--moving", folder / "moving.nii.gz"),
    )
    assert ran.code == 0, ran.err
    assert "12 points, moved by" in ran.out
    return read_points(output).points


def test_points_of_the_fixed_image_go_where_simpleitk_sends_them(
    command: Command, folder: Path
) -> None:
    sitk = pytest.importorskip("SimpleITK")
    vectors = sitk.ReadImage(str(folder / "warp.nii.gz"), sitk.sitkVectorFloat64)
    matrix = sitk.ReadTransform(str(folder / "affine.mat"))
    chain = sitk.CompositeTransform([matrix, sitk.DisplacementFieldTransform(vectors)])
    expected = [chain.TransformPoint(point) for point in (POINTS * LPS).tolist()]
    found = moved(command, folder, "fixed_lps.csv", "--units", "lps")
    np.testing.assert_allclose(found, expected, atol=1e-3)  # mm


@pytest.mark.parametrize(
    ("name", "units", "signs"),
    [
        ("fixed_ras.csv", ("--units", "ras"), (1, 1, 1)),
        ("fixed_lps.csv", ("--units", "lps"), LPS),
        ("fixed.fcsv", (), (1, 1, 1)),
        ("fixed.mrk.json", (), LPS),
    ],
)
def test_every_list_keeps_its_system(
    command: Command, folder: Path, name: str, units: tuple[str, ...], signs: np.ndarray
) -> None:
    found = moved(command, folder, name, *units)
    np.testing.assert_allclose(found * signs, CHAIN(POINTS), atol=1e-3)


def test_voxels_of_the_fixed_image_become_voxels_of_the_moving_one(
    command: Command, folder: Path
) -> None:
    found = moved(command, folder, "fixed_voxels.csv", "--units", "voxels")
    there = found @ MOVING.affine[:3, :3].T + MOVING.affine[:3, 3]
    np.testing.assert_allclose(there, CHAIN(POINTS), atol=1e-3)


def test_points_of_the_moving_image_come_the_other_way(command: Command, folder: Path) -> None:
    lists(folder, "moving", CHAIN(POINTS), MOVING.affine)
    found = moved(command, folder, "moving.fcsv", "--to", "fixed")
    np.testing.assert_allclose(found, POINTS, atol=5e-3)  # mm; a thousandth of a voxel
    voxels = moved(command, folder, "moving_voxels.csv", "--to", "fixed", "--units", "voxels")
    there = voxels @ FIXED.affine[:3, :3].T + FIXED.affine[:3, 3]
    np.testing.assert_allclose(there, POINTS, atol=5e-3)


def test_names_and_comments_and_columns_stay(command: Command, folder: Path) -> None:
    moved(command, folder, "fixed.fcsv")
    before, after = (
        (folder / name).read_text().splitlines() for name in ("fixed.fcsv", "out.fcsv")
    )
    assert after[:3] == before[:3]
    assert [line.split(",")[::4] for line in after] == [line.split(",")[::4] for line in before]
    moved(command, folder, "fixed.mrk.json")
    places = json.loads((folder / "out.mrk.json").read_text())["markups"][0]["controlPoints"]
    assert [place["label"] for place in places] == [f"p{n}" for n in range(12)]


def test_a_table_with_a_heading_as_ants_has_it(command: Command, folder: Path) -> None:
    rows = "".join(f"{n},{x},{y},{z}\n" for n, (x, y, z) in enumerate((POINTS * LPS).tolist()))
    (folder / "ants.csv").write_text(f"t,x,y,z\n{rows}")
    found = moved(command, folder, "ants.csv", "--units", "lps")
    np.testing.assert_allclose(found * LPS, CHAIN(POINTS), atol=1e-3)
    lines = (folder / "out.csv").read_text().splitlines()
    assert lines[0] == "t,x,y,z"
    assert lines[12].startswith("11,")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{0}/fixed_ras.csv", "--output", "{0}/o.csv"), "does not say its unit; give --units"),
        (("{0}/fixed.fcsv", "--output", "{0}/o.csv"), "must end in .fcsv, as the list"),
        (("{0}/fixed.nii.gz", "--output", "{0}/o.csv"), "lists of points end in .csv, .fcsv"),
        (
            ("{0}/fixed_ras.csv", "--output", "{0}/o.csv", "--units", "voxels"),
            "give --fixed and --moving",
        ),
        (("{0}/none.fcsv", "--output", "{0}/o.fcsv"), "none.fcsv: no such file"),
        (("{0}/bad.mrk.json", "--output", "{0}/o.mrk.json"), "not a list of 3D Slicer"),
        (("{0}/short.mrk.json", "--output", "{0}/o.mrk.json"), "has not three finite numbers"),
    ],
)
def test_a_fault_is_one_line_and_nothing_is_written(
    command: Command, folder: Path, words: tuple[str, ...], message: str
) -> None:
    (folder / "bad.mrk.json").write_text('{"markups": [{}]}')
    short = {"markups": [{"controlPoints": [{"position": [1, 2]}]}]}
    (folder / "short.mrk.json").write_text(json.dumps(short))
    given = [word.format(folder) for word in words]
    ran = command("points", *given, "-t", folder / "affine.mat")
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not list(folder.glob("o.*"))
