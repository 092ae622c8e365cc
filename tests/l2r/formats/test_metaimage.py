"""Fields and volumes in MetaImage files."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from l2r.errors import FieldError, ImageError
from l2r.formats.fields import read_field, write_field
from l2r.formats.volumes import grid_shape, grid_spacing, read_image, read_labels
from tests.l2r.making import noise

BY_ITK = b"""ObjectType = Image
NDims = 4
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1
Offset = 0 0 0 0
CenterOfRotation = 0 0 0 0
ElementSpacing = 1 1 1 1
DimSize = 2 3 4 3
AnatomicalOrientation = ????
ElementType = MET_FLOAT
ElementDataFile = LOCAL
"""
"""The header that ITK 5.4 writes for such an image."""
FIELD = noise(2, 3, 4, 3).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "field.mha"


def test_a_file_of_itk_runs_along_x_first(path: Path) -> None:
    path.write_bytes(BY_ITK + FIELD.tobytes(order="F"))
    read = read_field(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, FIELD)


def test_a_compressed_file_is_unpacked(path: Path) -> None:
    header = BY_ITK.replace(b"CompressedData = False", b"CompressedData = True")
    path.write_bytes(header + zlib.compress(FIELD.tobytes(order="F")))
    np.testing.assert_array_equal(read_field(path, most=FIELD.nbytes), FIELD)


@pytest.mark.parametrize(("said", "kind"), [("MET_DOUBLE", "f8"), ("MET_SHORT", "i2")])
def test_other_types_and_byte_orders_are_read(path: Path, said: str, kind: str) -> None:
    values = (100 * FIELD).astype(kind)
    header = BY_ITK.replace(b"MET_FLOAT", said.encode()).replace(b"MSB = False", b"MSB = True")
    path.write_bytes(header + values.astype(f">{kind}").tobytes(order="F"))
    np.testing.assert_array_equal(read_field(path), values)


VALUES = FIELD.tobytes()
BOMB = BY_ITK.replace(b"CompressedData = False", b"CompressedData = True")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no line ElementDataFile"),
        (b"\x1f\x8b" * 40, "no line ElementDataFile"),
        (BY_ITK[:-30], "no line ElementDataFile"),
        (BY_ITK + VALUES[:-1], "damaged: 287 bytes of values or more instead of 288"),
        (BY_ITK + VALUES + b"0", "damaged: 289 bytes"),
        (BOMB + VALUES, "damaged"),
        (BOMB + zlib.compress(bytes(10**6)), "damaged: 289 bytes"),
        (BY_ITK.replace(b"2 3 4 3", b"20 30 40 3") + VALUES, "288000 bytes of values, but"),
        (BY_ITK.replace(b"2 3 4 3", b"2 3 0 3") + VALUES, "0 bytes of values"),
        (BY_ITK.replace(b"2 3 4 3", b"two") + VALUES, "damaged"),
        (BY_ITK.replace(b"MET_FLOAT", b"MET_STRING") + VALUES, "plain numbers: 'MET_STRING'"),
        (BY_ITK.replace(b"LOCAL", b"field.raw") + VALUES, "its values are in another file"),
        (
            BY_ITK.replace(b"ElementType", b"ElementNumberOfChannels = 3\nElementType") + VALUES,
            "3 channels; a field is a 4-D image",
        ),
    ],
)
def test_what_is_no_field_is_refused(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    with pytest.raises(FieldError, match=r"field\.mha") as caught:
        read_field(path, most=FIELD.nbytes)
    assert problem in str(caught.value)


def test_no_more_is_read_of_a_file_than_a_field_may_have(path: Path) -> None:
    path.write_bytes(BY_ITK + VALUES)
    os.truncate(path, 1 << 40)  # with a hole: a terabyte that takes no place
    with pytest.raises(FieldError, match="damaged"):
        read_field(path, most=FIELD.nbytes)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(FieldError, match=r"field\.mha: cannot be read"):
        read_field(path)


OBLIQUE = b"""ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 0.95533648912560598 0.29552020666133955 0 -0.29552020666133955 0.95533648912560598 0 0 0 1
Offset = 5 6 7
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = 1 2 3
DimSize = 2 3 4
ElementType = MET_FLOAT
ElementDataFile = LOCAL
"""  # noqa: E501 - as it is
"""What ITK 5.4 writes for voxels of 1 x 2 x 3 mm, turned by 0.3 about z."""
AFFINE = np.array([
    [-0.95533645, 0.59104037, 0.0, -5.0],
    [-0.29552019, -1.9106729, 0.0, -6.0],
    [0.0, 0.0, 3.0, 7.0],
    [0.0, 0.0, 0.0, 1.0],
])  # fmt: skip
"""What nibabel reads from the same image when ITK writes it as NIfTI."""
VOLUME = noise(2, 3, 4)
PACKED = OBLIQUE.replace(b"CompressedData = False", b"CompressedData = True")


@pytest.mark.parametrize("packed", [False, True])
def test_an_image_of_itk_is_read_as_other_images_are(path: Path, *, packed: bool) -> None:
    values = VOLUME.tobytes(order="F")
    path.write_bytes(PACKED + zlib.compress(values) if packed else OBLIQUE + values)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, VOLUME)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-6)
    assert image.orientation == "LPS"
    assert grid_shape(path) == (2, 3, 4)
    np.testing.assert_allclose(grid_spacing(path), (1, 2, 3))


OPTIONAL = (b"TransformMatrix", b"Offset", b"ElementSpacing", b"Compressed", b"BinaryData")
SHORT = b"".join(
    line for line in OBLIQUE.splitlines(keepends=True) if not line.startswith(OPTIONAL)
)


def test_what_a_header_leaves_out_is_as_itk_takes_it(path: Path) -> None:
    path.write_bytes(SHORT + VOLUME.tobytes(order="F"))
    np.testing.assert_array_equal(read_image(path).affine, np.diag([-1, -1, 1, 1]))


@pytest.mark.parametrize("kind", ["UCHAR u1", "INT i4", "LONG_LONG i8", "DOUBLE f8"])
def test_label_maps_keep_their_numbers(path: Path, kind: str) -> None:
    said, code = kind.split()
    labels = np.arange(24).reshape(2, 3, 4).astype(code)
    header = OBLIQUE.replace(b"MET_FLOAT", f"MET_{said}".encode())
    path.write_bytes(header + labels.tobytes(order="F"))
    np.testing.assert_array_equal(read_labels(path), labels)
    np.testing.assert_array_equal(read_image(path).array, labels)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no line ElementDataFile"),
        (OBLIQUE[:40], "no line ElementDataFile"),
        (OBLIQUE + VALUES[:50], "damaged: 50 bytes"),
        (PACKED + zlib.compress(VOLUME.tobytes())[:-20], "damaged"),
        (PACKED + VALUES[:96], "damaged: Error"),
        (SHORT.replace(b"2 3 4", b"24") + VALUES[:96], "3-D volume"),
        (OBLIQUE.replace(b"2 3 4", b"900000 900000 900000"), "damaged"),
        (PACKED.replace(b"2 3 4", b"9" * 30 + b" 1 1"), "damaged"),
        (OBLIQUE.replace(b"Offset = 5", b"Offset = five") + VALUES[:96], "damaged"),
        (BY_ITK + VALUES, "3-D volume"),
        (OBLIQUE + bytes(96), "every voxel is 0"),
        (OBLIQUE + np.full(24, np.nan, "f4").tobytes(), "24 voxels are NaN"),
    ],
)
def test_a_damaged_image_is_refused_in_one_line(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"field\.mha") as caught:
        read_image(path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_image_is_named(path: Path) -> None:
    for read in (read_image, grid_shape, grid_spacing):
        with pytest.raises(ImageError, match=r"field\.mha: cannot be read: no such file"):
            read(path)


def test_a_written_field_says_where_the_fixed_image_is_and_is_read_back(path: Path) -> None:
    write_field(path, FIELD, AFFINE)
    np.testing.assert_array_equal(read_field(path, most=FIELD.nbytes), FIELD)
    head = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")[0].decode()
    lines = dict(line.split(" = ") for line in head.splitlines())
    assert (lines["NDims"], lines["DimSize"], lines["ElementType"]) == ("4", "2 3 4 3", "MET_FLOAT")
    assert lines["Offset"] == "5 6 7 0"
    np.testing.assert_allclose(np.array(lines["ElementSpacing"].split(), float), [1, 2, 3, 1])
    turned = np.eye(4)
    turned[:2, :2] = [[0.955336489, 0.295520207], [-0.295520207, 0.955336489]]
    rows = np.array(lines["TransformMatrix"].split(), float).reshape(4, 4)
    np.testing.assert_allclose(rows, turned, atol=1e-6)
    assert int(lines["CompressedDataSize"]) == len(path.read_bytes()) - len(head) - 24


def test_a_field_in_any_memory_layout_is_the_same_file(path: Path) -> None:
    write_field(path, FIELD, np.eye(4))
    first = path.read_bytes()
    write_field(path, np.asfortranarray(FIELD.astype(">f8")), np.eye(4))
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]
