"""Every format of the table keeps what it can hold, and is told by the end of a name."""

from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from l2r.errors import ImageError
from l2r.formats.base import Format
from l2r.formats.fields import read_field, write_field
from l2r.formats.table import (
    FIELD_SUFFIXES,
    FORMATS,
    IMAGE_NAMES,
    IMAGE_SUFFIXES,
    format_of,
    strip_suffix,
)
from l2r.formats.volumes import grid_shape, grid_spacing, read_image, read_labels, write_volume

RNG = np.random.default_rng(0)
AFFINE = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -7], [0, 0, 3.0, 11], [0, 0, 0, 1]])
SUFFIXES = [suffix for kind in FORMATS for suffix in kind.suffixes]
VOLUME_SUFFIXES = [suffix for suffix in IMAGE_SUFFIXES if suffix in FIELD_SUFFIXES]
"""Of formats that are not of one slice alone."""


def test_no_end_belongs_to_two_formats() -> None:
    assert len(set(SUFFIXES)) == len(SUFFIXES)


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.suffixes[0])
def test_a_format_is_found_by_the_end_of_a_name(kind: Format) -> None:
    for suffix in kind.suffixes:
        assert format_of(PurePosixPath(f"a.b{suffix}")) is kind
        assert strip_suffix(f"a.b{suffix}") == "a.b"


def test_a_name_without_such_an_end_is_kept_and_taken_for_the_first_format() -> None:
    assert strip_suffix("field.dat") == "field.dat"
    assert format_of(PurePosixPath("field.dat")) is FORMATS[0]


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_an_image_comes_back_with_its_grid(suffix: str, dtype: type, tmp_path: Path) -> None:
    path, array = tmp_path / f"image{suffix}", RNG.integers(0, 200, (4, 5, 6)).astype(dtype)
    write_volume(path, array, AFFINE)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, array)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-6)  # single precision in headers
    assert grid_shape(path) == (4, 5, 6)
    np.testing.assert_allclose(grid_spacing(path), (1.5, 2, 3), rtol=1e-6)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_a_label_map_comes_back(suffix: str, tmp_path: Path) -> None:
    path, labels = tmp_path / f"labels{suffix}", RNG.integers(0, 3000, (4, 5, 6)).astype(np.int32)
    write_volume(path, labels)
    found = read_labels(path)
    np.testing.assert_array_equal(found, labels)
    assert np.issubdtype(found.dtype, np.integer)


@pytest.mark.parametrize("suffix", VOLUME_SUFFIXES)
def test_a_field_comes_back_from_a_file_and_from_its_content(suffix: str, tmp_path: Path) -> None:
    path, field = tmp_path / f"field{suffix}", RNG.normal(size=(4, 5, 6, 3)).astype(np.float32)
    write_field(path, field, AFFINE)
    np.testing.assert_array_equal(read_field(path), field)
    np.testing.assert_array_equal(read_field(Path(path.name), path.read_bytes()), field)


def test_a_format_of_fields_alone_has_no_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "field.npz", np.ones((2, 2, 2, 3)))
    np.testing.assert_array_equal(read_field(tmp_path / "field.npz"), np.ones((2, 2, 2, 3)))
    with pytest.raises(ImageError, match=r"field\.npz: \.npz files hold no images, only fields"):
        grid_shape(tmp_path / "field.npz")


def test_images_and_fields_have_other_formats() -> None:
    assert IMAGE_NAMES == ".nii.gz, .nii, .mha or .png"
    assert FIELD_SUFFIXES == (".nii.gz", ".nii", ".mha", ".npz")
