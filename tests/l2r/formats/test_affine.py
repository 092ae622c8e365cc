"""Headers of real data sets that make no sense although the array is good."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import igzip

from l2r.errors import ImageError
from l2r.formats.affine import nifti_affine, usable
from l2r.formats.fields import read_field, write_field
from l2r.formats.volumes import grid_shape, grid_spacing, read_image, read_labels

ARRAY = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
Odd = Callable[..., Path]


@pytest.fixture
def odd(tmp_path: Path) -> Odd:
    """A file with spacing 2, 3, 4 mm whose header is changed byte by byte."""

    def make(**changes: object) -> Path:
        image = nib.Nifti1Image(ARRAY, np.diag([2.0, 3, 4, 1]))
        raw = bytearray(image.to_bytes())
        header = nib.Nifti1Header(bytes(raw[:348]), check=False)
        for key, value in changes.items():
            header[key] = value
        raw[:348] = header.binaryblock
        path = tmp_path / "odd.nii.gz"
        path.write_bytes(igzip.compress(bytes(raw)))
        return path

    return make


ZERO = {f"srow_{axis}": [0, 0, 0, 0] for axis in "xyz"}
TWO = np.diag([2.0, 3, 4, 1])


@pytest.mark.parametrize(
    ("changes", "spacing", "words"),
    [
        ({"sform_code": 1, "qform_code": 0, **ZERO}, (2, 3, 4), "sform is unusable"),
        ({"sform_code": 1, "qform_code": 1, **ZERO}, (2, 3, 4), "sform is unusable"),
        ({"sform_code": 1, "srow_x": [np.nan, 0, 0, 0]}, (2, 3, 4), "sform is unusable"),
        ({"sform_code": 1, "srow_z": [2, 0, 0, 0]}, (2, 3, 4), "sform is unusable"),
        ({"sform_code": 1, "srow_x": [np.inf, 0, 0, 0]}, (2, 3, 4), "sform is unusable"),
        (
            {"sform_code": 0, "qform_code": 1, "qoffset_x": np.nan},
            (2, 3, 4),
            "qform is unusable",
        ),
        (
            {"sform_code": 0, "qform_code": 0, "pixdim": [1, np.nan, 1, 1, 0, 0, 0, 0]},
            (1, 1, 1),
            "spacing is unusable and was left out; voxels are taken as 1 mm",
        ),
        (
            {"sform_code": 1, **ZERO, "pixdim": [1, np.nan, 1, 1, 0, 0, 0, 0]},
            (1, 1, 1),
            "voxels are taken as 1 mm",
        ),
    ],
)
def test_the_next_statement_counts_and_the_array_is_kept(
    odd: Odd, changes: dict, spacing: tuple, words: str
) -> None:
    path = odd(**changes)
    image = read_image(path)
    assert np.array_equal(image.array, ARRAY)
    assert image.spacing_mm == pytest.approx(spacing)
    assert words in "; ".join(image.warnings)
    assert grid_shape(path) == ARRAY.shape
    assert np.array_equal(read_labels(path), ARRAY)
    assert np.array_equal(read_field(path), ARRAY)
    assert all(side > 0 for side in grid_spacing(path))


@pytest.mark.parametrize("excess", [4e-7, 7.2e-7, 1.9e-6, 2e-4, 1.43])
def test_a_quaternion_that_is_too_long_is_a_half_turn(odd: Odd, excess: float) -> None:
    part = np.sqrt((1 + excess) / 3)
    quaternion = {f"quatern_{name}": part for name in "bcd"}
    image = read_image(odd(sform_code=0, qform_code=1, **quaternion))
    third = np.full((3, 3), 2 / 3) - np.eye(3)  # half a turn about the diagonal
    np.testing.assert_allclose(image.affine[:3, :3], third * [2, 3, 4], atol=1e-3)


def test_a_quaternion_that_is_too_long_is_named(odd: Odd) -> None:
    image = read_image(odd(sform_code=0, qform_code=1, quatern_b=0.9, quatern_c=0.9))
    (warning,) = image.warnings
    assert warning.startswith("the header's quaternion is 1.27279")


def test_a_good_header_is_taken_without_a_word(odd: Odd) -> None:
    image = read_image(odd())
    assert np.array_equal(image.affine, TWO)
    assert image.warnings == ()


numbers = st.one_of(st.floats(width=32), st.floats(-3, 3, width=32))
rows = st.lists(numbers, min_size=4, max_size=4)


six, eight = (st.lists(numbers, min_size=n, max_size=n) for n in (6, 8))


@given(st.tuples(rows, rows, rows), six, eight)
def test_whatever_a_header_says_a_field_can_be_written_with_its_affine(
    tmp_path_factory: pytest.TempPathFactory, sform: tuple, quaternion: list, pixdim: list
) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((4, 3, 2))
    header["sform_code"], header["qform_code"] = 1, 1
    header["srow_x"], header["srow_y"], header["srow_z"] = sform
    names = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
    for name, value in zip(names, quaternion, strict=True):
        header[name] = value
    header["pixdim"] = pixdim
    affine, _ = nifti_affine(header)
    assert usable(affine)
    path = tmp_path_factory.mktemp("field") / "field.nii.gz"
    write_field(path, np.zeros((4, 3, 2, 3), np.float32), affine)
    np.testing.assert_allclose(nib.load(path).affine, affine, rtol=1e-5, atol=1e-5)


def scaled(path: Path, values: np.ndarray, kind: type, slope: float) -> Path:
    """A file of integers with a slope, written without nibabel's own scaling."""
    raw = np.rint(values / slope).astype(kind)
    header = nib.Nifti1Header()
    header.set_data_shape(raw.shape)
    header.set_data_dtype(kind)
    header.set_slope_inter(slope, 0)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path.write_bytes(igzip.compress(header.binaryblock + b"\0" * 4 + raw.tobytes(order="F")))
    return path


@pytest.mark.parametrize(
    ("kind", "slope"),
    [(np.uint8, 12 / 255), (np.uint16, 12 / 65535), (np.int16, 12 / 32767), (np.uint8, 0.1)],
)
def test_labels_that_a_slope_has_rounded_are_the_whole_numbers(
    tmp_path: Path, kind: type, slope: float
) -> None:
    labels = (ARRAY % 13).astype(np.float64)
    path = scaled(tmp_path / "labels.nii.gz", labels, kind, slope)
    assert np.array_equal(read_labels(path), labels)


def test_ids_up_to_207_in_bytes_with_a_slope_come_back(tmp_path: Path) -> None:
    labels = np.linspace(0, 207, 24).round().reshape(ARRAY.shape)
    path = scaled(tmp_path / "labels.nii.gz", labels, np.uint8, 207 / 255)
    assert np.array_equal(read_labels(path), labels)


def test_labels_in_single_precision_may_be_off_by_its_rounding(tmp_path: Path) -> None:
    stored = (ARRAY * np.float32(1.0000002)).astype(np.float32)
    nib.save(nib.Nifti1Image(stored, np.eye(4)), tmp_path / "labels.nii")
    assert np.array_equal(read_labels(tmp_path / "labels.nii"), ARRAY)


@pytest.mark.parametrize(
    ("kind", "slope"), [(np.uint8, 12 / 255), (np.uint16, 1e-4), (np.int16, 1.5)]
)
def test_an_interpolated_map_is_still_refused(tmp_path: Path, kind: type, slope: float) -> None:
    values = np.full(ARRAY.shape, 3.0)
    values[0] = 1.5
    path = scaled(tmp_path / "labels.nii.gz", values, kind, slope)
    with pytest.raises(
        ImageError, match=r"6 are not, for instance 1\.\S+; was the map interpolated"
    ):
        read_labels(path)


def test_labels_that_are_nan_have_their_own_message(tmp_path: Path) -> None:
    values = ARRAY.astype(np.float32)
    values[0, 0] = np.nan
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "labels.nii")
    with pytest.raises(ImageError, match="2 labels are NaN or infinite"):
        read_labels(tmp_path / "labels.nii")
