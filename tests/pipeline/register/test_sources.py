"""Images as a Python program has them."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.errors import ImageError
from l2r.formats.volumes import Image, read_image, write_volume
from pipeline.register.sources import as_image, stored_of
from tests.l2r.transforms.making import FIXED, smooth_volume

VALUES = smooth_volume(FIXED.shape)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_volume(tmp_path / "image.nii.gz", VALUES, FIXED.affine)
    return tmp_path / "image.nii.gz"


def test_a_path_its_string_nibabels_image_and_ours_are_one(path: Path) -> None:
    expected = read_image(path)
    for source in (path, str(path), nib.load(path), expected):
        found = as_image(source, "fixed")
        np.testing.assert_array_equal(found.array, expected.array)
        np.testing.assert_allclose(found.affine, expected.affine)


def test_an_array_has_the_spacing_that_is_given() -> None:
    found = as_image(VALUES, "moving", (1.0, 2.0, 0.5))
    np.testing.assert_array_equal(found.spacing_mm, [1, 2, 0.5])
    assert found.orientation == "RAS"


def test_labels_keep_their_type() -> None:
    labels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    assert stored_of(labels, "other").array.dtype == np.int16


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (np.zeros(20, np.float32), r"the moving image: shape \(20,\), but a 3-D volume"),
        (np.full((4, 5, 6), np.nan), "the moving image: 120 voxels are NaN or infinite"),
        (np.ones((4, 5, 6)), "the moving image: every voxel is 1; a constant image"),
        (Image(np.ones((4, 5, 6), np.float32)), "a constant image cannot be registered"),
    ],
)
def test_what_cannot_be_registered_is_refused_by_its_role(source: object, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        as_image(source, "moving")  # type: ignore[arg-type]


def test_an_affine_that_spans_no_grid_is_refused() -> None:
    affine = np.eye(4)
    affine[:, 1] = affine[:, 0]  # two axes of the array along one of space
    flat = nib.Nifti1Image(VALUES, affine)
    with pytest.raises(ImageError, match="the fixed image: its affine spans no grid"):
        as_image(flat, "fixed")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.nii\.gz: no such file"):
        as_image(tmp_path / "gone.nii.gz", "fixed")
