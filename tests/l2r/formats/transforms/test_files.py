"""Transforms in files: ours by theirs, theirs by ours; SimpleITK and nitransforms as oracles."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.errors import L2RError, TransformError
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import read_transform, write_transform
from l2r.task import load_task
from l2r.transforms.base import AffineTransform, SpatialTransform, TransformChain
from l2r.transforms.displacement import DisplacementTransform
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points, turn

PAIR = PairGrids(FIXED, MOVING)
FIELD, MATRIX = bumps(FIXED), turn()
POINTS = inner_points(FIXED)
FIELDS = ["field.nii.gz", "field.nii", "field.mha", "field.nrrd", "field.h5", "field.x5"]
MATRICES = ["a.txt", "a.tfm", "a.mat", "a.h5", "a.x5", "a.lta", "a.mat,fsl"]
EXTRA = (".mha", ".nrrd", ".h5", ".x5", ".lta", "fsl")
LPS = np.array([-1, -1, 1])


def needs(name: str) -> None:
    """Skip without the extra `transforms`."""
    if name.endswith(EXTRA):
        pytest.importorskip("SimpleITK", reason="the extra `transforms` is not installed")
        pytest.importorskip("nitransforms", reason="the extra `transforms` is not installed")


def round_tripped(folder: Path, name: str, *parts: SpatialTransform) -> SpatialTransform:
    needs(name)
    file, _, word = name.partition(",")
    dialect = word or ("itk" if file.endswith((".nii", ".gz", ".mha")) else None)
    write_transform(folder / file, parts, PAIR, dialect)
    return read_transform(folder / file, PAIR)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_comes_back(name: str, tmp_path: Path) -> None:
    found = round_tripped(tmp_path, name, FIELD)
    np.testing.assert_allclose(found(POINTS), FIELD(POINTS), atol=1e-4)  # single precision


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_comes_back(name: str, tmp_path: Path) -> None:
    found = round_tripped(tmp_path, name, MATRIX)
    np.testing.assert_allclose(found(POINTS), MATRIX(POINTS), atol=1e-4)


@pytest.mark.parametrize("name", FIELDS)
def test_a_chain_comes_back_in_its_order(name: str, tmp_path: Path) -> None:
    found = round_tripped(tmp_path, name, MATRIX, FIELD)
    expected = TransformChain([MATRIX, FIELD])(POINTS)
    assert np.abs(TransformChain([FIELD, MATRIX])(POINTS) - expected).max() > 0.6
    close = 1e-4 if name.endswith("h5") else 0.3  # one field is interpolated, a composite is not
    np.testing.assert_allclose(found(POINTS), expected, atol=close)


def test_learn2reg_fields_count_voxels_of_both_images(tmp_path: Path) -> None:
    path = tmp_path / "disp_0001_0002.nii.gz"
    write_transform(path, [FIELD], PAIR, "learn2reg")
    vectors = np.asarray(nib.load(path).dataobj)
    p = (12, 11, 9)
    start, end = FIXED.affine @ (*p, 1.0), MOVING.affine @ (*(p + vectors[p]), 1.0)
    np.testing.assert_allclose(FIELD(start[None, :3]), end[None, :3], atol=1e-4)
    np.testing.assert_allclose(read_transform(path, PAIR)(POINTS), FIELD(POINTS), atol=1e-4)


@pytest.mark.parametrize("name", ["psmareg26", "psmareg26_test", "lumir24"])
def test_the_layout_of_a_challenge_is_kept(name: str, tmp_path: Path) -> None:
    task = load_task(name)
    task = task.model_copy(update={"data": task.data.model_copy(update={"shape": FIXED.shape})})
    grids, path = PairGrids(FIXED, FIXED, task), tmp_path / "disp_0001_00_0002_00.nii.gz"
    write_transform(path, [FIELD], grids, "learn2reg")
    shape = {
        "psmareg26": (12, 14, 10, 3),
        "psmareg26_test": (3, 24, 28, 20),
        "lumir24": (24, 28, 20, 3),
    }
    assert nib.load(path).shape == shape[name]
    found = read_transform(path, grids)
    np.testing.assert_allclose(found(POINTS), FIELD(POINTS), atol=0.5)  # mm; half the grid


def test_the_header_of_an_itk_field_is_what_ants_wants(tmp_path: Path) -> None:
    write_transform(tmp_path / "field.nii.gz", [FIELD], PAIR, "itk")
    header = nib.load(tmp_path / "field.nii.gz").header
    assert header.get_data_shape() == (*FIXED.shape, 1, 3)
    assert header.get_intent()[0] == "vector"
    assert header.get_data_dtype() == np.float32


@pytest.mark.parametrize("name", ["field.nii.gz", "field.mha", "field.nrrd", "field.h5"])
def test_simpleitk_moves_points_by_our_fields_as_we_do(name: str, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    write_transform(tmp_path / name, [FIELD], PAIR, "itk")
    if name.endswith("h5"):
        theirs = sitk.ReadTransform(str(tmp_path / name))
    else:
        image = sitk.ReadImage(str(tmp_path / name), sitk.sitkVectorFloat64)
        theirs = sitk.DisplacementFieldTransform(image)
    found = [theirs.TransformPoint(point.tolist()) for point in POINTS * LPS]
    np.testing.assert_allclose(found * LPS, FIELD(POINTS), atol=1e-3)


@pytest.mark.parametrize("name", ["a.txt", "a.tfm", "a.mat", "a.h5"])
def test_simpleitk_moves_points_by_our_matrices_as_we_do(name: str, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    write_transform(tmp_path / name, [MATRIX], PAIR)
    theirs = sitk.ReadTransform(str(tmp_path / name))
    found = [theirs.TransformPoint(point.tolist()) for point in POINTS * LPS]
    np.testing.assert_allclose(found * LPS, MATRIX(POINTS), atol=1e-6)


def test_nitransforms_moves_points_by_our_fields_as_we_do(tmp_path: Path) -> None:
    nonlinear = pytest.importorskip("nitransforms.nonlinear")
    write_transform(tmp_path / "field.nii.gz", [FIELD], PAIR, "itk")
    write_transform(tmp_path / "field.x5", [FIELD], PAIR)
    here = slice(None, None, 97)
    voxels = np.stack([axis.ravel() for axis in np.indices(FIXED.shape)], axis=-1)[here]
    points = voxels @ FIXED.affine[:3, :3].T + FIXED.affine[:3, 3]  # it interpolates by splines
    for name, word in (("field.nii.gz", "itk"), ("field.x5", "X5")):
        theirs = nonlinear.DenseFieldTransform.from_filename(tmp_path / name, word)
        np.testing.assert_allclose(theirs.map(points), FIELD(points), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "word"),
    [("a.txt", "itk"), ("a.x5", "X5"), ("a.lta", "lta"), ("a.mat,fsl", "fsl")],
)
def test_nitransforms_reads_our_matrices(name: str, word: str, tmp_path: Path) -> None:
    linear = pytest.importorskip("nitransforms.linear")
    file, _, dialect = name.partition(",")
    write_transform(tmp_path / file, [MATRIX], PAIR, dialect or None)
    images = [
        nib.Nifti1Image(np.zeros(grid.shape, np.uint8), grid.affine) for grid in (FIXED, MOVING)
    ]
    theirs = linear.Affine.from_filename(
        tmp_path / file, fmt=word, reference=images[0], moving=images[1]
    )
    np.testing.assert_allclose(theirs.map(POINTS), MATRIX(POINTS), atol=1e-4)


def euler(sitk: object) -> object:
    found = sitk.Euler3DTransform()
    found.SetCenter((3.0, -4.0, 5.0))
    found.SetRotation(0.1, -0.2, 0.15)
    found.SetTranslation((1.0, 2.0, -3.0))
    return found


def centred(sitk: object) -> object:
    found = sitk.AffineTransform(3)
    found.SetCenter((3.0, -4.0, 5.0))
    found.Scale((1.1, 0.9, 1.05))
    found.Rotate(0, 1, 0.2)
    return found


def composite(sitk: object) -> object:
    return sitk.CompositeTransform([euler(sitk), centred(sitk)])


@pytest.mark.parametrize("make", [euler, centred, composite])
@pytest.mark.parametrize("suffix", [".txt", ".tfm", ".mat", ".h5"])
def test_we_move_points_by_their_transforms_as_simpleitk_does(
    make: Callable[[object], object], suffix: str, tmp_path: Path
) -> None:
    sitk = pytest.importorskip("SimpleITK")
    theirs, path = make(sitk), tmp_path / f"theirs{suffix}"
    if suffix == ".mat" and make is composite:
        pytest.skip("ITK writes no composite .mat")
    sitk.WriteTransform(theirs, str(path))
    expected = [theirs.TransformPoint(point.tolist()) for point in POINTS * LPS]
    found = read_transform(path, PairGrids())(POINTS)
    np.testing.assert_allclose(found, expected * LPS, atol=1e-6)


def test_a_bspline_of_itk_is_sampled_on_the_fixed_grid(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.Image(24, 28, 20, sitk.sitkFloat32)
    image.SetOrigin((-40.0, -40.0, -40.0))
    image.SetSpacing((4.0, 4.0, 4.0))
    theirs = sitk.BSplineTransformInitializer(image, [4, 4, 4])
    count = len(theirs.GetParameters())
    theirs.SetParameters(np.random.default_rng(0).normal(size=count).tolist())
    sitk.WriteTransform(theirs, str(tmp_path / "bspline.tfm"))
    with pytest.raises(TransformError, match="must be sampled on a grid; give --fixed"):
        read_transform(tmp_path / "bspline.tfm", PairGrids())
    found = read_transform(tmp_path / "bspline.tfm", PAIR)(POINTS)
    expected = [theirs.TransformPoint(point.tolist()) for point in POINTS * LPS]
    np.testing.assert_allclose(found, expected * LPS, atol=0.05)  # mm; linear between voxels


def stored(path: Path, array: np.ndarray, intent: str = "none") -> Path:
    image = nib.Nifti1Image(array, FIXED.affine)
    image.header.set_intent(intent)
    nib.save(image, path)
    return path


def vectors(value: float) -> np.ndarray:
    return np.full((*FIXED.shape, 3), value, np.float32)


WRONG = {
    "a series": (np.zeros((24, 28, 20, 7), np.float32), "none", "an image or a series is no"),
    "an image": (np.zeros(FIXED.shape, np.float32), "none", "an image or a series is no"),
    "no intent": (vectors(1)[:, :, :, None], "none", "intent code 0, .* write itk after its name"),
    "five axes": (vectors(1)[:, :, :, None, :2], "vector", r"shape \(24, 28, 20, 1, 2\)"),
    "a warp of FSL": (vectors(1), "fnirt disp field", "a warp of FSL by its intent code 2006"),
    "NaN": (vectors(np.nan), "none", "40320 of 40320 values are NaN"),
    "places": (vectors(500), "none", "up to 500 voxels .* another unit"),
    "far": (vectors(500)[:, :, :, None], "vector", "read as millimetres; is it in another unit"),
    "another pair": (vectors(1)[1:], "none", r"the fixed image has \(24, 28, 20\)"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_cannot_be_meant_is_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    array, intent, message = WRONG[fault]
    path = stored(tmp_path / "field.nii.gz", array, intent)
    with pytest.raises(L2RError, match=message) as caught:
        read_transform(path, PairGrids(FIXED, FIXED))
    assert "\n" not in str(caught.value)


def test_small_numbers_are_worth_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_transform(stored(tmp_path / "field.nii.gz", vectors(0.1)), PairGrids(FIXED, FIXED))
    assert "instance normalised to [-1, 1]?" in caplog.text


@pytest.mark.parametrize("name", ["a.txt", "a.mat", "a.h5", "a.x5", "a.lta", "a.nii.gz"])
@pytest.mark.parametrize("content", [b"nonsense", b"\x00\x01\x02\xff" * 50, None])
def test_a_damaged_or_missing_file_is_named(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    needs(name)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(L2RError, match=name) as caught:
        read_transform(tmp_path / name, PAIR)
    assert "\n" not in str(caught.value)


def test_a_name_of_no_transform_lists_those_that_are() -> None:
    with pytest.raises(TransformError, match=r"known are \.nii\.gz, .*\.lta"):
        read_transform(Path("a.pdf"), PAIR)
    with pytest.raises(TransformError, match="are of x5, not of itk"):
        read_transform(Path("a.x5"), PAIR, "itk")


def test_a_matrix_file_holds_no_field(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match="hold a matrix, and this is a displacement field"):
        write_transform(tmp_path / "a.txt", [FIELD], PAIR)
    assert list(tmp_path.iterdir()) == []


def test_a_field_of_a_matrix_needs_a_grid(tmp_path: Path) -> None:
    with pytest.raises(TransformError, match="give the fixed image"):
        write_transform(tmp_path / "a.nii.gz", [MATRIX], PairGrids(), "itk")


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "SimpleITK", None)
    with pytest.raises(TransformError, match=r"pip install 'regatta\[transforms\]'"):
        write_transform(tmp_path / "a.h5", [MATRIX], PAIR)


def test_an_inverse_is_written_as_a_field(tmp_path: Path) -> None:
    pytest.importorskip("SimpleITK")
    write_transform(tmp_path / "a.h5", [FIELD.inverse()], PAIR)
    found = read_transform(tmp_path / "a.h5", PAIR)
    assert isinstance(found, DisplacementTransform)
    np.testing.assert_allclose(found(FIELD(POINTS)), POINTS, atol=0.2)  # mm, between voxels of 2 mm


def test_a_matrix_that_cannot_be_inverted_is_refused(tmp_path: Path) -> None:
    write_transform(tmp_path / "a.txt", [AffineTransform(np.diag([1.0, 1, 0, 1]))], PAIR)
    with pytest.raises(TransformError, match="cannot be inverted"):
        read_transform(tmp_path / "a.txt", PAIR)
