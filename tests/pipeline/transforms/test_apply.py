"""`regatta apply`, as a user calls it: SimpleITK and ANTs as oracles, chains, refusals."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from eval.warp import warp_nearest
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import write_transform
from l2r.formats.volumes import write_volume
from l2r.transforms.compose import as_displacement
from l2r.transforms.grids import Grid
from tests.l2r.transforms.making import FIXED, MOVING, blobs, bumps, smooth_volume, turn
from tests.pipeline.conftest import Command

FIELD, MATRIX = bumps(FIXED), turn()
GRIDS = PairGrids(FIXED, MOVING)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of an oblique, anisotropic, flipped pair, and transforms between them."""
    write_volume(tmp_path / "fixed.nii.gz", smooth_volume(FIXED.shape, 1), FIXED.affine)
    write_volume(tmp_path / "moving.nii.gz", smooth_volume(MOVING.shape), MOVING.affine)
    write_volume(tmp_path / "labels.nii.gz", blobs(MOVING.shape), MOVING.affine)
    write_transform(tmp_path / "warp.nii.gz", [FIELD], GRIDS, "itk")
    write_transform(tmp_path / "affine.mat", [MATRIX], GRIDS)
    write_transform(tmp_path / "disp_0001_0002.nii.gz", [FIELD], GRIDS, "learn2reg")
    return tmp_path


def applied(command: Command, folder: Path, image: str, *words: str | Path) -> np.ndarray:
    ran = command(
        *("apply", folder / image, "--reference", folder / "fixed.nii.gz"),
        *("--output", folder / "out.nii.gz", *words),
    )
    assert ran.code == 0, ran.err
    return np.asarray(nib.load(folder / "out.nii.gz").dataobj)


def by_simpleitk(folder: Path, image: str, method: str) -> np.ndarray:
    """The image by the field and then the matrix, onto the fixed grid."""
    sitk = pytest.importorskip("SimpleITK")
    vectors = sitk.ReadImage(str(folder / "warp.nii.gz"), sitk.sitkVectorFloat64)
    matrix = sitk.ReadTransform(str(folder / "affine.mat"))
    # A composite applies its last transform first.
    chain = sitk.CompositeTransform([matrix, sitk.DisplacementFieldTransform(vectors)])
    fixed, moving = (sitk.ReadImage(str(folder / name)) for name in ("fixed.nii.gz", image))
    warped = sitk.Resample(moving, fixed, chain, getattr(sitk, f"sitk{method}"), 0.0)
    return sitk.GetArrayFromImage(warped).T


def chain(folder: Path) -> tuple[str, str, str, str]:
    return "-t", f"{folder / 'warp.nii.gz'}", "-t", f"{folder / 'affine.mat'}"


@pytest.mark.parametrize(("word", "method"), [("linear", "Linear"), ("cubic", "BSpline")])
def test_images_are_those_of_simpleitk(
    command: Command, folder: Path, word: str, method: str
) -> None:
    found = applied(command, folder, "moving.nii.gz", *chain(folder), "--interpolation", word)
    expected = by_simpleitk(folder, "moving.nii.gz", method)
    assert (expected > 0).mean() > 0.5
    # Headers are in single precision: next to the border of the image a voxel may be in or out.
    off = np.abs(found - expected) > 1e-3 * 100
    assert off.mean() < 1e-4


def test_labels_are_those_of_simpleitk_but_for_ties(command: Command, folder: Path) -> None:
    words = (*chain(folder), "--interpolation", "nearest")
    found = applied(command, folder, "labels.nii.gz", *words)
    assert (found != by_simpleitk(folder, "labels.nii.gz", "NearestNeighbor")).sum() <= 2


@pytest.mark.parametrize("word", ["linear", "nearest", "cubic"])
def test_images_are_those_of_ants(command: Command, folder: Path, word: str) -> None:
    ants = pytest.importorskip("ants", reason="antspyx is not installed: an oracle only")
    name = "labels.nii.gz" if word == "nearest" else "moving.nii.gz"
    found = applied(command, folder, name, *chain(folder), "--interpolation", word)
    method = {"linear": "linear", "nearest": "nearestNeighbor", "cubic": "bSpline"}[word]
    expected = ants.apply_transforms(
        fixed=ants.image_read(str(folder / "fixed.nii.gz")),
        moving=ants.image_read(str(folder / name)),
        transformlist=[str(folder / "warp.nii.gz"), str(folder / "affine.mat")],
        interpolator=method,
    ).numpy()
    off = np.abs(found - expected) > (0.5 if word == "nearest" else 1e-3 * 100)
    assert off.mean() < 3e-4


def test_generic_labels_are_those_of_simpleitk_on_voxels_of_1_mm(
    command: Command, folder: Path
) -> None:
    grid = Grid(MOVING.shape, MOVING.affine @ np.diag([1 / 1.1, 1 / 1.4, 1 / 1.6, 1]))
    write_volume(folder / "labels.nii.gz", blobs(grid.shape), grid.affine)
    words = (*chain(folder), "--interpolation", "generic-label")
    found = applied(command, folder, "labels.nii.gz", *words)
    assert (found != by_simpleitk(folder, "labels.nii.gz", "LabelGaussian")).sum() <= 2


def test_a_field_of_learn2reg_is_the_same_transform(command: Command, folder: Path) -> None:
    pair = ("--fixed", folder / "fixed.nii.gz", "--moving", folder / "moving.nii.gz")
    itk = applied(command, folder, "moving.nii.gz", "-t", folder / "warp.nii.gz")
    own = applied(command, folder, "moving.nii.gz", "-t", folder / "disp_0001_0002.nii.gz", *pair)
    np.testing.assert_allclose(own, itk, atol=0.02)


def test_labels_are_warped_as_the_scorer_warps_them(command: Command, folder: Path) -> None:
    labels, vectors = blobs(FIXED.shape), bumps(FIXED).vectors
    write_volume(folder / "labels.nii.gz", labels, FIXED.affine)
    write_transform(folder / "disp.nii.gz", [FIELD], PairGrids(FIXED, FIXED), "learn2reg")
    words = ("-t", folder / "disp.nii.gz", "--interpolation", "nearest")
    found = applied(command, folder, "labels.nii.gz", *words)
    inner = (slice(2, -2),) * 3  # at the border ITK has half a voxel more than the scorer
    assert np.array_equal(found[inner], warp_nearest(labels, vectors)[inner])
    assert found.dtype == labels.dtype


def test_a_chain_and_its_inverse_return_to_the_start(command: Command, folder: Path) -> None:
    words = (*chain(folder), "-t", f"{folder / 'affine.mat'},inverse")
    words = (*words, "-t", f"{folder / 'warp.nii.gz'},inverse,itk")
    found = applied(command, folder, "fixed.nii.gz", *words)
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(found[inner], smooth_volume(FIXED.shape, 1)[inner], atol=0.1)


def test_many_images_and_a_series_go_into_a_folder(command: Command, folder: Path) -> None:
    series = np.stack([smooth_volume(MOVING.shape, n) for n in range(3)], axis=-1)
    image = nib.Nifti1Image(series.astype(np.int16), MOVING.affine)
    image.header.set_xyzt_units("mm", "msec")
    image.header["pixdim"][4] = 2500
    nib.save(image, folder / "series.nii.gz")
    ran = command(
        *("apply", folder / "moving.nii.gz", folder / "series.nii.gz", *chain(folder)),
        *("--reference", folder / "fixed.nii.gz", "--output", folder / "out"),
    )
    assert ran.code == 0, ran.err
    assert ran.out.split() == [
        str(folder / "out" / name) for name in ("moving.nii.gz", "series.nii.gz")
    ]
    found = nib.load(folder / "out/series.nii.gz")
    assert found.shape == (*FIXED.shape, 3)
    assert found.get_data_dtype() == np.int16
    assert float(found.header["pixdim"][4]) == 2.5
    np.testing.assert_allclose(found.affine, FIXED.affine, atol=1e-5)


def bids(folder: Path) -> None:
    for name in ("from-B_to-A_mode-image_xfm.mat", "from-C_to-B_mode-image_xfm.mat"):
        write_transform(folder / name, [MATRIX], GRIDS)


def test_names_of_bids_in_order_are_accepted(command: Command, folder: Path) -> None:
    bids(folder)
    first, second = (folder / f"from-{a}_to-{b}_mode-image_xfm.mat" for a, b in ("BA", "CB"))
    write_transform(folder / "both.mat", [MATRIX, MATRIX], GRIDS)
    there = applied(command, folder, "moving.nii.gz", "-t", first, "-t", second)
    expected = applied(command, folder, "moving.nii.gz", "-t", folder / "both.mat")
    np.testing.assert_allclose(there, expected, atol=1e-3)  # of 100, in single precision
    both = ("-t", f"{second},inverse", "-t", f"{first},inverse")
    back = applied(command, folder, "moving.nii.gz", *both)
    whole = ("-t", f"{folder / 'both.mat'},inverse")
    np.testing.assert_allclose(back, applied(command, folder, "moving.nii.gz", *whole), atol=1e-3)


REFUSED = {
    "wrong order by names": (
        "-t {0}/from-C_to-B_mode-image_xfm.mat -t {0}/from-B_to-A_mode-image_xfm.mat",
        "it begins at A, but from-C_to-B_mode-image_xfm.mat ends at C, by their names",
    ),
    "wrong order by place": (
        "-t {0}/far.mat -t {0}/warp.nii.gz",
        "warp.nii.gz: the field lies elsewhere than the chain comes along",
    ),
    "no overlap": ("-t {0}/far.mat", "moving.nii.gz: the reference grid and the image do not"),
    "an image as a field": ("-t {0}/moving.nii.gz", "an image or a series is no transform"),
    "a word that is none": ("-t {0}/warp.nii.gz,twice", "'twice' is neither inverse nor one of"),
    "no moving image": ("-t {0}/disp_0001_0002.nii.gz", "counts voxels of the moving image"),
    "no file": ("-t {0}/none.mat", "none.mat: no such file"),
    "one file for two": ("-t {0}/warp.nii.gz {0}/labels.nii.gz", "one file for 2 images"),
    "outside that no integer has": (
        "-t {0}/warp.nii.gz {0}/labels.nii.gz --output {0}/folder --outside nan",
        "whole numbers have no nan",
    ),
    "NaN": ("-t {0}/warp.nii.gz {0}/nan.nii.gz --output {0}/folder", "1 voxels are NaN"),
    "over itself": ("-t {0}/warp.nii.gz --output {0}", "is the image itself"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_is_one_line_and_nothing_is_written(
    command: Command, folder: Path, fault: str
) -> None:
    bids(folder)
    far = turn()
    far.matrix[0, 3] = 1000
    write_transform(folder / "far.mat", [far], GRIDS)
    broken = smooth_volume(MOVING.shape)
    broken[3, 3, 3] = np.nan
    write_volume(folder / "nan.nii.gz", broken, MOVING.affine)
    words, message = REFUSED[fault]
    image = [] if "NaN" in fault or "integer" in fault else [folder / "moving.nii.gz"]
    output = [] if "--output" in words else ["--output", folder / "out.nii.gz"]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}
    ran = command(
        "apply", *image, "--reference", folder / "fixed.nii.gz", *output,
        *words.format(folder).split(),
    )  # fmt: skip
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.nii.gz")}


def test_a_header_without_a_position_asks_for_the_fixed_image(
    command: Command, folder: Path
) -> None:
    vectors = as_displacement(FIELD, FIXED).vectors
    nib.save(nib.Nifti1Image(vectors, np.eye(4)), folder / "disp.nii.gz")
    ran = command(
        *("apply", folder / "moving.nii.gz", "-t", folder / "disp.nii.gz"),
        *("--reference", folder / "fixed.nii.gz", "--output", folder / "out.nii.gz"),
    )
    assert ran.code == 2
    assert "its header has no position" in ran.err
