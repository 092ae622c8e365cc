"""Displacement fields in files of any format, by the ends of their names."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.errors import FieldError
from l2r.formats.table import format_of


def read_field(
    path: Path, data: bytes | None = None, most: int | None = None
) -> Float[np.ndarray, "..."]:
    """Read a displacement field with whatever shape and float type it has.

    Args:
        path: names the file in messages, and is read unless `data` is given.
        data: the file's content, where it comes from a zip.
        most: bytes that it may unpack to; a file of a stranger may unpack to anything.

    Raises:
        FieldError: missing, truncated, of another format, or larger than `most`.
    """
    array = format_of(path).read(path, FieldError, data, most).array
    return np.asarray(array, dtype=np.promote_types(array.dtype, np.float32))


def write_field(
    path: Path, vectors: Float[np.ndarray, "_ _ _ _"], affine: Float[np.ndarray, "4 4"]
) -> None:
    """Write a displacement field as float32, atomically and byte for byte repeatable.

    Args:
        path: its end says which format.
        vectors: displacements in voxels of the fixed grid, `(x, y, z, 3)`; where a format leaves
            the choice, the components may be the first axis instead.
        affine: of the fixed image; for viewers only, scorers ignore it.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    format_of(path).write(path, np.asarray(vectors, np.float32), affine)
