"""Registration from Python: the field of a run, from paths, nibabel images and arrays alike."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.errors import ConfigError, ImageError
from l2r.formats.fields import read_field
from l2r.transforms.grids import Grid
from l2r.transforms.residual import round_trip
from pipeline.register.registration import Registration
from tests.pipeline.conftest import Command

FIRST = "disp_0002_0001.nii.gz"


@pytest.fixture
def paths(phantom: Path) -> tuple[Path, Path]:
    """Fixed and moving image of the first pair of the phantom's list."""
    return tuple(phantom / f"imagesVal/PHANTOM_000{n}_0000.nii.gz" for n in (2, 1))


@pytest.fixture
def registration(quick: Path, phantom: Path) -> Registration:
    return Registration.from_config(quick, task=str(phantom / "phantom.toml"), device="cpu")


def test_it_finds_the_very_field_that_a_run_writes(
    registration: Registration,
    paths: tuple[Path, Path],
    command: Command,
    words: list[str],
    tmp_path: Path,
) -> None:
    command("run", *words)
    assert np.array_equal(registration(*paths).field, read_field(tmp_path / "out" / FIRST))


@pytest.mark.slow
def test_paths_images_and_arrays_are_one(
    registration: Registration, paths: tuple[Path, Path]
) -> None:
    images = [nib.load(path) for path in paths]
    arrays = [np.asarray(image.dataobj) for image in images]
    expected = registration(*paths).field
    assert np.array_equal(registration(str(paths[0]), images[1]).field, expected)
    assert np.array_equal(registration(*images).field, expected)
    assert np.array_equal(registration(*arrays).field, expected)


def test_the_result_holds_the_inverse_the_warped_image_and_the_log(
    registration: Registration, paths: tuple[Path, Path]
) -> None:
    result = registration(*paths)
    fixed, moving = (nib.load(path).get_fdata() for path in paths)
    warped = result.warped.get_fdata()
    assert np.abs(warped - fixed).mean() < 0.7 * np.abs(moving - fixed).mean()
    grid = result.transform.grid
    residual, _ = round_trip(result.transform, result.inverse, grid, grid)
    assert residual.p99 < 0.4  # voxels; the phantom bends much and its voxels are few
    assert [level.steps for level in result.refinements[0].levels] == [12, 8]
    assert set(result.seconds) == {"read", "predict", "refine"}


def test_images_on_unlike_grids_are_brought_together_by_their_headers(
    registration: Registration, paths: tuple[Path, Path], tmp_path: Path
) -> None:
    fixed, moving = (nib.load(path) for path in paths)
    values, affine = np.asarray(moving.dataobj), moving.affine.copy()
    flipped = affine @ np.diag([-1.0, 1, 1, 1])  # the same brain in another order of voxels
    flipped[:3, 3] = (affine @ [values.shape[0] - 1, 0, 0, 1])[:3]
    turned = nib.Nifti1Image(values[::-1, 2:], flipped @ shifted(0, 2, 0))
    result, plain = registration(fixed, turned), registration(fixed, moving)
    cut = np.abs(result.field - plain.field).mean()
    assert cut < 0.2  # voxels; two planes of background are missing
    np.testing.assert_allclose(
        result.warped.get_fdata()[4:-4, 4:-4, 4:-4],
        plain.warped.get_fdata()[4:-4, 4:-4, 4:-4],
        atol=40,
    )
    assert result.inverse.grid.is_like(Grid(turned.shape, turned.affine))


def shifted(*index: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = index
    return matrix


def test_as_for_a_scorer_headers_may_be_left_out(
    quick: Path, phantom: Path, paths: tuple[Path, Path]
) -> None:
    task = str(phantom / "phantom.toml")
    stored = Registration.from_config(quick, task=task, device="cpu", by_headers=False)
    fixed, moving = (nib.load(path) for path in paths)
    elsewhere = nib.Nifti1Image(np.asarray(moving.dataobj), moving.affine @ shifted(50, 0, 0))
    result = stored(fixed, elsewhere)
    assert np.array_equal(result.field, stored(fixed, moving).field)
    np.testing.assert_allclose(
        result.warped.get_fdata(), stored(fixed, moving).warped.get_fdata(), atol=1e-2
    )


def test_labels_are_warped_in_their_own_type(
    registration: Registration, paths: tuple[Path, Path], phantom: Path
) -> None:
    labels = nib.load(phantom / "labelsVal/PHANTOM_0001_0000.nii.gz")
    warped = registration(*paths).apply(labels, "nearest")
    assert warped.get_data_dtype() == labels.get_data_dtype()
    assert set(np.unique(warped.dataobj)) <= set(np.unique(labels.dataobj))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: np.full_like(image, np.nan), "the moving image: .* voxels are NaN"),
        (lambda image: image[0, 0], "the moving image: shape .* 3-D volume"),
        (np.zeros_like, "the moving image: every voxel is 0"),
        (lambda image: image[:-1], "shape .* but task 'phantom' asks for"),
    ],
)
def test_an_image_that_cannot_be_registered_is_named(
    quick: Path, phantom: Path, paths: tuple[Path, Path], change: object, message: str
) -> None:
    task = str(phantom / "phantom.toml")
    registration = Registration.from_config(quick, task=task, device="cpu", by_headers=False)
    image = np.asarray(nib.load(paths[1]).dataobj).astype(np.float32)
    with pytest.raises(ImageError, match=message):
        registration(paths[0], change(image))


def test_a_run_file_that_needs_label_maps_is_refused(
    quick: Path, phantom: Path, paths: tuple[Path, Path]
) -> None:
    text = quick.read_text().replace(
        'name = "instance_optimisation"', 'name = "instance_optimisation"\nlabel_weight = 1.0', 1
    )
    quick.write_text(text)
    task = str(phantom / "phantom.toml")
    with pytest.raises(ConfigError, match="label_weight needs label maps"):
        Registration.from_config(quick, task=task, device="cpu")(*paths)
