"""Displacement fields in NumPy's own archives, which the classic Learn2Reg scorer takes as well."""

import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from l2r.errors import FieldError


def read_npz(
    path: Path, data: bytes | None = None, most: int | None = None
) -> Float32[np.ndarray, "..."]:
    """Read the one array of a `.npz` file as float32, as the scorer does; never a pickle.

    Args:
        path: names the file in messages, and is read unless `data` is given.
        data: the file's content, where it comes from a zip.
        most: bytes that the array may unpack to.

    Raises:
        FieldError: missing, damaged, not one array of plain numbers, or larger than `most`.
    """
    try:
        content = path.read_bytes() if data is None else data
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise FieldError(f"{path}: {len(names)} arrays, but the scorer takes exactly one")
            with archive.open(names[0]) as member:
                stored = member.read(-1 if most is None else most + 1)
        if most is not None and len(stored) > most:
            raise FieldError(f"{path}: it unpacks to more than the {most} bytes of a field")
        array = np.lib.format.read_array(BytesIO(stored), allow_pickle=False)
    except FileNotFoundError:
        raise FieldError(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as cause:
        raise FieldError(f"{path}: not a NumPy archive: {cause}") from None
    if array.dtype.kind not in "iuf":
        raise FieldError(f"{path}: values are of type {array.dtype}, plain numbers are expected")
    return array.astype(np.float32, copy=False)
