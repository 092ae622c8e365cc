"""`regatta invert`, `compose`, `jacobian` and `convert`, as a user calls them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import read_transform, write_transform
from l2r.formats.volumes import write_volume
from l2r.transforms.base import TransformChain
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points, smooth_volume, turn
from tests.pipeline.conftest import Command

FIELD, MATRIX = bumps(FIXED), turn()
GRIDS, SWAPPED = PairGrids(FIXED, MOVING), PairGrids(MOVING, FIXED)
POINTS = inner_points(FIXED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_volume(tmp_path / "fixed.nii.gz", smooth_volume(FIXED.shape, 1), FIXED.affine)
    write_volume(tmp_path / "moving.nii.gz", smooth_volume(MOVING.shape), MOVING.affine)
    write_transform(tmp_path / "warp.nii.gz", [FIELD], GRIDS, "itk")
    write_transform(tmp_path / "affine.mat", [MATRIX], GRIDS)
    return tmp_path


def good(command: Command, *words: str | Path) -> str:
    ran = command(*words)
    assert ran.code == 0, ran.err
    return ran.out


def pair(folder: Path) -> tuple[str | Path, ...]:
    return "--fixed", folder / "fixed.nii.gz", "--moving", folder / "moving.nii.gz"


def test_an_inverse_says_how_well_it_returns(command: Command, folder: Path) -> None:
    inverse, residual = folder / "inverse.nii.gz", folder / "residual.nii.gz"
    words = ("invert", folder / "warp.nii.gz", "--output", inverse, "--residual", residual)
    told = good(command, *words)
    assert "from the moving grid: residual mean" in told
    assert "; 0 % of the voxels are off by 0.5 or more" in told.splitlines()[0]
    found = read_transform(inverse, PairGrids())
    np.testing.assert_allclose(found(FIELD(POINTS)), POINTS, atol=0.2)  # mm, between voxels of 2 mm
    assert 0 < nib.load(residual).get_fdata().max() < 2e-3  # voxels; a thousandth is aimed at


def test_an_inverse_lives_on_the_moving_grid(command: Command, folder: Path) -> None:
    good(
        command, *("invert", folder / "warp.nii.gz", *pair(folder)),
        *("--output", f"{folder / 'disp.nii.gz'},learn2reg"),
    )  # fmt: skip
    assert nib.load(folder / "disp.nii.gz").shape == (*MOVING.shape, 3)
    found = read_transform(folder / "disp.nii.gz", SWAPPED)
    np.testing.assert_allclose(found(FIELD(POINTS)), POINTS, atol=0.2)


def test_the_inverse_of_a_matrix_is_one(command: Command, folder: Path) -> None:
    told = good(command, "invert", folder / "affine.mat", "--output", folder / "inverse.txt")
    assert told == "a matrix: inverted exactly\n"
    found = read_transform(folder / "inverse.txt", GRIDS)
    np.testing.assert_allclose(found(MATRIX(POINTS)), POINTS)


def test_a_file_of_several_matrices_is_inverted_exactly_too(command: Command, folder: Path) -> None:
    good(command, "convert", folder / "affine.mat", folder / "one.txt")
    header, *block = (folder / "one.txt").read_text().splitlines()
    (folder / "two.txt").write_text("\n".join([header, *block, *block]) + "\n")
    told = good(command, "invert", folder / "two.txt", "--output", folder / "inverse.txt")
    assert told == "a matrix: inverted exactly\n"
    found = read_transform(folder / "inverse.txt", PairGrids())
    np.testing.assert_allclose(found(MATRIX(MATRIX(POINTS))), POINTS, atol=1e-9)


def test_a_map_over_a_chain_without_a_reference_begins_on_its_first_fields_grid(
    command: Command, folder: Path
) -> None:
    words = ("-t", folder / "affine.mat", "-t", folder / "warp.nii.gz")
    good(command, "jacobian", *words, "--output", folder / "map.nii.gz")
    found = nib.load(folder / "map.nii.gz")
    assert found.shape == FIXED.shape
    np.testing.assert_allclose(found.affine, FIXED.affine, atol=1e-5)  # single precision


def test_a_chain_becomes_one_field(command: Command, folder: Path) -> None:
    words = ("-t", folder / "warp.nii.gz", "-t", folder / "affine.mat")
    told = good(command, "compose", *words, "--output", folder / "whole.nii.gz")
    assert told.endswith("whole.nii.gz: a field on a grid of (24, 28, 20)\n")
    expected = TransformChain([FIELD, MATRIX])(POINTS)
    found = read_transform(folder / "whole.nii.gz", GRIDS)
    np.testing.assert_allclose(found(POINTS), expected, atol=1e-3)


def test_matrices_become_a_matrix(command: Command, folder: Path) -> None:
    words = ("-t", folder / "affine.mat", "-t", f"{folder / 'affine.mat'},inverse")
    reference = ("--reference", folder / "fixed.nii.gz")
    good(command, "compose", *words, *reference, "--output", folder / "none.tfm")
    found = read_transform(folder / "none.tfm", GRIDS)
    np.testing.assert_allclose(found(POINTS), POINTS)


def test_matrices_have_no_grid_of_their_own(command: Command, folder: Path) -> None:
    words = ("-t", folder / "affine.mat", "--output", folder / "j.nii.gz")
    ran = command("jacobian", *words)
    assert ran.code == 2
    assert "it has no grid of its own; give --reference" in ran.err


@pytest.mark.parametrize("kind", ["determinant", "log", "folds"])
def test_volume_changes_are_mapped(command: Command, folder: Path, kind: str) -> None:
    words = ("-t", folder / "affine.mat", "--reference", folder / "fixed.nii.gz", "--map", kind)
    told = good(command, "jacobian", *words, "--output", folder / "j.nii.gz")
    determinant = 1.05 * 0.97 * 1.02
    expected = {"determinant": determinant, "log": np.log(determinant), "folds": 0}
    found = nib.load(folder / "j.nii.gz").get_fdata()
    np.testing.assert_allclose(found, expected[kind], atol=1e-4)
    assert "determinant 1.04 to 1.04, SDlogJ " in told
    assert ", 0 % of the voxels folded" in told


def test_folds_are_counted(command: Command, folder: Path) -> None:
    vectors = np.zeros((9, 5, 5, 3), np.float32)
    vectors[:5, ..., 0] = -2 * np.arange(5)[:, None, None]
    nib.save(nib.Nifti1Image(vectors, np.eye(4)), folder / "disp.nii.gz")
    words = ("-t", folder / "disp.nii.gz", "--map", "folds", "--output", folder / "j.nii.gz")
    told = good(command, "jacobian", *words)
    folds = nib.load(folder / "j.nii.gz").get_fdata()
    assert folds[:4].all()
    assert not folds[6:].any()
    assert f", {100 * folds.mean():.3g} % of the voxels folded" in told


NAMES = ["w.nii.gz", "w.nii", "w.mha", "w.nrrd", "w.h5", "w.x5", "d.nii.gz,learn2reg", "d.npz"]


@pytest.mark.parametrize("name", NAMES)
def test_a_field_is_converted_and_converted_again(
    command: Command, folder: Path, name: str
) -> None:
    if name.endswith((".mha", ".nrrd", ".h5", ".x5")):
        pytest.importorskip("SimpleITK")
        pytest.importorskip("nitransforms")
    good(command, "convert", folder / "warp.nii.gz", f"{folder / name}", *pair(folder))
    good(command, "convert", f"{folder / name}", folder / "again.nii.gz", *pair(folder))
    found = read_transform(folder / "again.nii.gz", PairGrids())
    np.testing.assert_allclose(found(POINTS), FIELD(POINTS), atol=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{0}/warp.nii.gz", "{0}/w.txt"), "w.txt: .txt files hold a matrix"),
        (("{0}/affine.mat", "{0}/w.nii.gz"), "a field needs a grid; give the fixed image"),
        (("{0}/warp.nii.gz", "{0}/w.nii.gz,inverse"), "inverse is for files that are read"),
        (("{0}/warp.nii.gz", "{0}/w.png"), "w.png: no transform by its name"),
        (("{0}/warp.nii.gz", "{0}/no/w.nii.gz"), "w.nii.gz: cannot be written"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    command: Command, folder: Path, words: tuple[str, str], message: str
) -> None:
    ran = command("convert", *(word.format(folder) for word in words))
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not list(folder.rglob("w.*"))
