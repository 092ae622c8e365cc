"""Displacement fields in ITK's MetaImage, the format of grand-challenge.org's image sockets.

A platform field is a 4-D image, `DimSize = x y z 3`, of plain numbers. The file runs along x first,
as NIfTI does, so the array is `(x, y, z, 3)`; spacing and orientation are ignored, as with NIfTI.
"""

import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.errors import FieldError

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_MOST_HEADER = 1 << 16
"""Bytes; ITK writes some hundred."""


def read_mha(path: Path, most: int | None = None) -> Float[np.ndarray, "..."]:
    """Read a `.mha` file of one channel, of any number of axes, as floats.

    Args:
        path: the file.
        most: bytes that the array may unpack to.

    Raises:
        FieldError: missing, damaged, no MetaImage, several channels, or larger than `most`.
    """
    try:
        header, data = _split(path, _content(path, most))
        kind = np.dtype(TYPES[header["ElementType"]])
        shape = tuple(int(size) for size in header["DimSize"].split())
        values = _unpacked(path, header, data, kind.itemsize * math.prod(shape), most)
    except OSError as cause:
        raise FieldError(f"{path}: cannot be read: {cause}") from None
    except KeyError as cause:
        raise FieldError(f"{path}: not a MetaImage of plain numbers: {cause}") from None
    except (ValueError, zlib.error) as cause:
        raise FieldError(f"{path}: damaged: {cause}") from None
    stored = np.frombuffer(values, kind.newbyteorder(">" if _big_endian(header) else "<"))
    return stored.astype(np.promote_types(kind, np.float32)).reshape(shape, order="F")


def _content(path: Path, most: int | None) -> bytes:
    with path.open("rb") as file:
        return file.read(-1 if most is None else _MOST_HEADER + most + 1)


def _split(path: Path, content: bytes) -> tuple[dict[str, str], bytes]:
    """The header's lines, of which `ElementDataFile` is the last, and what follows."""
    header: dict[str, str] = {}
    start = 0
    while "ElementDataFile" not in header:
        end = content.find(b"\n", start, _MOST_HEADER)
        key, equals, value = content[start : max(end, start)].decode("latin-1").partition("=")
        if not equals:
            raise FieldError(f"{path}: not a MetaImage: no line ElementDataFile in its header")
        header[key.strip()] = value.strip()
        start = end + 1
    if header["ElementDataFile"] != "LOCAL":
        raise FieldError(f"{path}: its values are in another file; write them into the .mha")
    if header.get("ElementNumberOfChannels", "1") != "1":
        raise FieldError(
            f"{path}: {header['ElementNumberOfChannels']} channels; a field is a 4-D image of one "
            "channel, with the three components along the fourth axis"
        )
    return header, content[start:]


def _unpacked(
    path: Path, header: dict[str, str], data: bytes, size: int, most: int | None
) -> bytes:
    """Exactly `size` bytes of values."""
    if size < 1 or (most is not None and size > most):
        raise FieldError(f"{path}: {size} bytes of values, but a field has at most {most}")
    if header.get("CompressedData", "False") == "True":
        data = zlib.decompressobj().decompress(data, size + 1)
    if len(data) != size:
        raise FieldError(f"{path}: damaged: {len(data)} bytes of values or more instead of {size}")
    return data


def _big_endian(header: dict[str, str]) -> bool:
    said = header.get("BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB", "False"))
    return said == "True"
