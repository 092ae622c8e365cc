"""Fields in MetaImage files."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from l2r.errors import FieldError
from l2r.metaimage import read_mha
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
    read = read_mha(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, FIELD)


def test_a_compressed_file_is_unpacked(path: Path) -> None:
    header = BY_ITK.replace(b"CompressedData = False", b"CompressedData = True")
    path.write_bytes(header + zlib.compress(FIELD.tobytes(order="F")))
    np.testing.assert_array_equal(read_mha(path, most=FIELD.nbytes), FIELD)


@pytest.mark.parametrize(("said", "kind"), [("MET_DOUBLE", "f8"), ("MET_SHORT", "i2")])
def test_other_types_and_byte_orders_are_read(path: Path, said: str, kind: str) -> None:
    values = (100 * FIELD).astype(kind)
    header = BY_ITK.replace(b"MET_FLOAT", said.encode()).replace(b"MSB = False", b"MSB = True")
    path.write_bytes(header + values.astype(f">{kind}").tobytes(order="F"))
    np.testing.assert_array_equal(read_mha(path), values)


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
        read_mha(path, most=FIELD.nbytes)
    assert problem in str(caught.value)


def test_no_more_is_read_of_a_file_than_a_field_may_have(path: Path) -> None:
    path.write_bytes(BY_ITK + VALUES)
    os.truncate(path, 1 << 40)  # with a hole: a terabyte that takes no place
    with pytest.raises(FieldError, match="damaged"):
        read_mha(path, most=FIELD.nbytes)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(FieldError, match=r"field\.mha: cannot be read"):
        read_mha(path)
