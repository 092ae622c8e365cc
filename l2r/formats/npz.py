"""Displacement fields in NumPy's own archives, which the classic Learn2Reg scorer takes as well."""

import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from l2r.disk import writing
from l2r.errors import L2RError
from l2r.formats.base import Format, Stored


class NumpyArchive(Format):
    """A `.npz` file of one array, read as float32 as the scorer does; never a pickle."""

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    damage = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)
    has_volumes: ClassVar[bool] = False

    def content(self, path: Path, _most: int | None) -> bytes:
        """Read the whole file: an archive's list of contents is at its end."""
        return path.read_bytes()

    def reason(self, cause: Exception) -> str:
        return f"not a NumPy archive: {cause}"

    def decode(self, path: Path, content: bytes, error: type[L2RError], most: int | None) -> Stored:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise error(f"{path}: {len(names)} arrays, but the scorer takes exactly one")
            with archive.open(names[0]) as member:
                stored = member.read(-1 if most is None else most + 1)
        if most is not None and len(stored) > most:
            raise error(f"{path}: it unpacks to more than the {most} bytes of a field")
        array = np.lib.format.read_array(BytesIO(stored), allow_pickle=False)
        if array.dtype.kind not in "iuf":
            raise error(f"{path}: values are of type {array.dtype}, plain numbers are expected")
        return Stored(array.astype(np.float32, copy=False), np.eye(4))

    def write(
        self, path: Path, array: Shaped[np.ndarray, "..."], _affine: Float[np.ndarray, "4 4"], /
    ) -> None:
        content = BytesIO()
        np.lib.format.write_array(content, array, allow_pickle=False)
        with writing(path) as file, zipfile.ZipFile(file, "w") as archive:
            # Without a time, so that the same field is the same file.
            member = zipfile.ZipInfo("arr_0.npy")
            archive.writestr(member, content.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=1)
