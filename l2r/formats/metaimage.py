"""ITK's MetaImage in one file, the format of grand-challenge.org's image sockets.

The file runs along x first, as NIfTI does, so arrays are `(x, y, z)`. A platform's displacement
field is a 4-D image, `DimSize = x y z 3`, of plain numbers; position and orientation are ignored,
as with NIfTI.
"""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from isal import isal_zlib
from jaxtyping import Float, Shaped

from l2r.errors import FieldError, L2RError
from l2r.formats.affine import usable

SUFFIX = ".mha"
TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_LPS = np.diag([-1.0, -1.0, 1.0])
"""From ITK's millimetres to NIfTI's, which are RAS, and back."""
_LEVEL = 1
"""Of ISA-L's compression, as in `l2r.formats.nifti`."""
_MOST_HEADER = 1 << 16
"""Bytes; ITK writes some hundred."""


@dataclass(frozen=True)
class Header:
    """The header of a file."""

    kind: np.dtype[np.generic]
    """Of a value, with its byte order."""
    shape: tuple[int, ...]
    affine: Float[np.ndarray, "4 4"]
    """Voxel indices to RAS millimetres, of the first three axes."""
    compressed: bool
    end: int
    """Where the values begin."""


def read_mha(path: Path, most: int | None = None) -> Float[np.ndarray, "..."]:
    """Read a `.mha` file of one channel, of any number of axes, as floats.

    Args:
        path: the file.
        most: bytes that the array may unpack to.

    Raises:
        FieldError: missing, damaged, no MetaImage, several channels, or larger than `most`.
    """
    values, _ = read_values(path, FieldError, most)
    return values.astype(np.promote_types(values.dtype, np.float32), copy=False)


def read_values(
    path: Path, error: type[L2RError], most: int | None = None
) -> tuple[Shaped[np.ndarray, "..."], Float[np.ndarray, "4 4"]]:
    """The values of a `.mha` file in their own type, and the affine of its first three axes.

    Raises:
        L2RError: of the kind `error`, as for `read_mha`.
    """
    with _mha_errors(path, error):
        content = _content(path, most)
        header = _parsed(path, content, error)
        size = header.kind.itemsize * math.prod(header.shape)
        if most is not None and size > most:
            raise error(f"{path}: {size} bytes of values, but a field has at most {most}")
        data: bytes | memoryview = memoryview(content)[header.end :]
        if header.compressed:
            data = zlib.decompressobj().decompress(data, size + 1)
        if len(data) != size:
            raise error(f"{path}: damaged: {len(data)} bytes of values or more instead of {size}")
        stored = np.frombuffer(data, header.kind).astype(header.kind.newbyteorder("="))
    return stored.reshape(header.shape, order="F"), header.affine


def read_header(path: Path, error: type[L2RError]) -> Header:
    """Read the header of a `.mha` file, not its values.

    Raises:
        L2RError: of the kind `error`; missing, no MetaImage, or several channels.
    """
    with _mha_errors(path, error):
        return _parsed(path, _content(path, 0), error)


def encoded(
    vectors: Float[np.ndarray, "x y z 3"], affine: Float[np.ndarray, "4 4"]
) -> tuple[bytes, bytes]:
    """Header and compressed values of a field, in single precision.

    Args:
        vectors: displacements in voxels of the fixed grid.
        affine: of the fixed image, voxel indices to RAS millimetres; for viewers only.
    """
    values = isal_zlib.compress(vectors.astype("<f4", copy=False).tobytes(order="F"), _LEVEL)
    spacing, rows = np.ones(4), np.eye(4)
    spacing[:3] = np.linalg.norm(affine[:3, :3], axis=0)
    rows[:3, :3] = (_LPS @ affine[:3, :3] / spacing[:3]).T
    lines = {
        "ObjectType": "Image",
        "NDims": "4",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(values)),
        "TransformMatrix": _spelt(rows),
        "Offset": _spelt(np.append(_LPS @ affine[:3, 3], 0)),
        "ElementSpacing": _spelt(spacing),
        "DimSize": " ".join(map(str, vectors.shape)),
        "ElementType": "MET_FLOAT",
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items()).encode(), values


def _spelt(numbers: Float[np.ndarray, "..."]) -> str:
    return " ".join(f"{number + 0.0:.9g}" for number in numbers.ravel())  # + 0: never -0


@contextmanager
def _mha_errors(path: Path, error: type[L2RError]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise error(f"{path}: cannot be read: no such file") from None
    except OSError as cause:
        raise error(f"{path}: cannot be read: {cause.strerror or cause}") from None
    except KeyError as cause:
        raise error(f"{path}: not a MetaImage of plain numbers: {cause}") from None
    except (ValueError, zlib.error, OverflowError, MemoryError) as cause:
        raise error(f"{path}: damaged: {cause}") from None


def _content(path: Path, most: int | None) -> bytes:
    with path.open("rb") as file:
        return file.read(-1 if most is None else _MOST_HEADER + most + 1)


def _parsed(path: Path, content: bytes, error: type[L2RError]) -> Header:
    lines, end = _lines(path, content, error)
    if lines["ElementDataFile"] != "LOCAL":
        raise error(f"{path}: its values are in another file; write them into the .mha")
    if lines.get("ElementNumberOfChannels", "1") != "1":
        raise error(
            f"{path}: {lines['ElementNumberOfChannels']} channels; a field is a 4-D image of one "
            "channel, with the three components along the fourth axis, and a volume has one, too"
        )
    shape = tuple(int(size) for size in lines["DimSize"].split())
    if any(size < 1 for size in shape):
        raise error(f"{path}: 0 bytes of values, DimSize is {lines['DimSize']}")
    order = lines.get("BinaryDataByteOrderMSB", lines.get("ElementByteOrderMSB", "False"))
    return Header(
        kind=np.dtype(TYPES[lines["ElementType"]]).newbyteorder(">" if order == "True" else "<"),
        shape=shape,
        affine=_affine(lines, len(shape)),
        compressed=lines.get("CompressedData", "False") == "True",
        end=end,
    )


def _lines(path: Path, content: bytes, error: type[L2RError]) -> tuple[dict[str, str], int]:
    """The header's lines, of which `ElementDataFile` is the last, and where they end."""
    lines: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in lines:
        end = content.find(b"\n", start, _MOST_HEADER)
        key, equals, value = content[start : max(end, start)].decode("latin-1").partition("=")
        if not equals:
            raise error(f"{path}: not a MetaImage: no line ElementDataFile in its header")
        lines[key.strip()] = value.strip()
        start = end + 1
    return lines, start


def _affine(lines: dict[str, str], axes: int) -> Float[np.ndarray, "4 4"]:
    """Build the affine of the first three axes; the lines of TransformMatrix are directions."""

    def numbers(key: str, default: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return np.array(lines[key].split(), np.float64) if key in lines else default

    n = min(axes, 3)
    rows = numbers("TransformMatrix", np.eye(axes)).reshape(axes, axes)[:n, :n]
    sides = numbers("ElementSpacing", np.ones(axes))[:n]
    offset = _LPS[:n, :n] @ numbers("Offset", np.zeros(axes))[:n]
    # The first that makes sense counts, as with NIfTI: directions and sides, sides, voxels of 1 mm.
    for directions, lengths in ((rows.T, sides), (np.eye(n), sides)):
        affine = np.eye(4)
        affine[:n, :n] = _LPS[:n, :n] @ directions * lengths
        affine[:n, 3] = offset
        if usable(affine):
            return affine
    return np.diag([-1.0, -1.0, 1.0, 1.0])
