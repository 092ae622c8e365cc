"""ITK's MetaImage in one file, the format of grand-challenge.org's image sockets.

The file runs along x first, as NIfTI does, so arrays are `(x, y, z)`. A platform's displacement
field is a 4-D image, `DimSize = x y z 3`, of plain numbers; position and orientation are ignored,
as with NIfTI.
"""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from isal import isal_zlib
from jaxtyping import Float, Shaped

from l2r.disk import writing
from l2r.errors import L2RError
from l2r.formats.affine import sides_of, usable
from l2r.formats.base import HEADER_BYTES, Format, Geometry, Stored

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


class MetaImage(Format):
    """ITK's `.mha`, of one channel and any number of axes."""

    suffixes: ClassVar[tuple[str, ...]] = (".mha",)
    damage = (OSError, KeyError, ValueError, zlib.error, OverflowError, MemoryError)
    missing = "cannot be read: no such file"
    components_last: ClassVar[bool] = True

    def reason(self, cause: Exception) -> str:
        if isinstance(cause, OSError):
            return f"cannot be read: {cause.strerror or cause}"
        if isinstance(cause, KeyError):
            return f"not a MetaImage of plain numbers: {cause}"
        return f"damaged: {cause}"

    def decode(self, path: Path, content: bytes, error: type[L2RError], most: int | None) -> Stored:
        header = _parsed(path, content, error)
        size = header.kind.itemsize * math.prod(header.shape)
        if most is not None and size > most:
            raise error(f"{path}: {size} bytes of values, but a field has at most {most}")
        values: bytes | memoryview = memoryview(content)[header.end :]
        if header.compressed:
            values = zlib.decompressobj().decompress(values, size + 1)
        if len(values) != size:
            raise error(f"{path}: damaged: {len(values)} bytes of values or more instead of {size}")
        stored = np.frombuffer(values, header.kind).astype(header.kind.newbyteorder("="))
        return Stored(stored.reshape(header.shape, order="F"), header.affine)

    def geometry(self, path: Path, error: type[L2RError]) -> Geometry:
        with self.faults(path, error):
            header = _parsed(path, self.content(path, 0), error)
        return Geometry(header.shape, header.affine, sides_of(header.affine))

    def channels(self, path: Path, error: type[L2RError]) -> int:
        """Read the number of values per voxel from the header alone.

        Raises:
            L2RError: missing, or of another format.
        """
        with self.faults(path, error):
            lines, _ = _lines(path, self.content(path, 0), error)
            return int(lines.get("ElementNumberOfChannels", "1"))

    def write(
        self, path: Path, array: Shaped[np.ndarray, "..."], affine: Float[np.ndarray, "4 4"], /
    ) -> None:
        with writing(path) as file:
            file.writelines(encoded(array, affine))


def encoded(
    array: Shaped[np.ndarray, "..."], affine: Float[np.ndarray, "4 4"]
) -> tuple[bytes, bytes]:
    """Encode a volume or a field as header and compressed values.

    Args:
        array: in a type that ITK has.
        affine: voxel indices to RAS millimetres, of the first three axes.
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    values = isal_zlib.compress(little.tobytes(order="F"), _LEVEL)
    axes = array.ndim
    spacing, rows, offset = np.ones(axes), np.eye(axes), np.zeros(axes)
    spacing[:3] = sides_of(affine)
    rows[:3, :3] = (_LPS @ affine[:3, :3] / spacing[:3]).T
    offset[:3] = _LPS @ affine[:3, 3]
    names = {kind: name for name, kind in TYPES.items()}
    lines = {
        "ObjectType": "Image",
        "NDims": str(axes),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(values)),
        "TransformMatrix": _spelt(rows),
        "Offset": _spelt(offset),
        "ElementSpacing": _spelt(spacing),
        "DimSize": " ".join(map(str, array.shape)),
        "ElementType": names[array.dtype.str[1:]],
        "ElementDataFile": "LOCAL",
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items()).encode(), values


def _spelt(numbers: Float[np.ndarray, "..."]) -> str:
    return " ".join(f"{number + 0.0:.9g}" for number in numbers.ravel())  # + 0: never -0


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
        end = content.find(b"\n", start, HEADER_BYTES)
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
