"""PNG: images in two dimensions, grey and of 8 or 16 bits, and label maps of them.

An image becomes a volume of one slice, `(x, y, 1)`: the first axis runs along the rows to the
right, the second one down, as pixels are counted. The file knows no millimetres: pixels have sides
of 1 mm, and the affine is the identity.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image as Picture
from PIL.PngImagePlugin import PngImageFile

from l2r.disk import writing
from l2r.errors import L2RError, OutputError
from l2r.formats.base import Format, Geometry, Stored

_GREY = {"L": np.uint8, "I;16": np.uint16}
"""Modes that are read, by Pillow's words, with the types of their values."""


class Png(Format):
    """A grey image, or a label map of one."""

    suffixes: ClassVar[tuple[str, ...]] = (".png",)
    # Pillow raises SyntaxError for a damaged file.
    damage = (OSError, SyntaxError, ValueError, Picture.DecompressionBombError)
    has_fields: ClassVar[bool] = False

    def reason(self, cause: Exception) -> str:
        return f"not a PNG image: {' '.join(str(cause).split())}"

    def decode(
        self, path: Path, content: bytes, error: type[L2RError], _most: int | None
    ) -> Stored:
        with _opened(path, BytesIO(content), error) as picture:
            rows = np.asarray(picture, _GREY[picture.mode])
        return Stored(np.ascontiguousarray(rows.T)[..., None], np.eye(4))

    def geometry(self, path: Path, error: type[L2RError]) -> Geometry:
        with self.faults(path, error), path.open("rb") as file:
            content = BytesIO(file.read())
            with _opened(path, content, error) as picture:
                return Geometry((*picture.size, 1), np.eye(4), np.ones(3))

    def write(
        self, path: Path, array: Shaped[np.ndarray, "..."], _affine: Float[np.ndarray, "4 4"], /
    ) -> None:
        if array.ndim != 3 or array.shape[2] != 1:
            raise OutputError(f"{path}: a PNG holds one slice, (x, y, 1), not {array.shape}")
        kind = next((one for one in _GREY.values() if np.can_cast(array.dtype, one)), None)
        if kind is None:
            raise OutputError(
                f"{path}: a PNG holds whole numbers of 8 or 16 bits, not {array.dtype}; write NIfTI"
            )
        content = BytesIO()
        Picture.fromarray(np.ascontiguousarray(array[..., 0].T, kind)).save(content, "PNG")
        with writing(path) as file:
            file.write(content.getvalue())


@contextmanager
def _opened(path: Path, content: BytesIO, error: type[L2RError]) -> Iterator[PngImageFile]:
    """The image of a file, if it is grey."""
    with PngImageFile(content) as picture:
        if picture.mode not in _GREY:
            raise error(
                f"{path}: a PNG of kind {picture.mode}, but grey values of 8 or 16 bits are "
                "expected; convert it to grey first"
            )
        yield picture
