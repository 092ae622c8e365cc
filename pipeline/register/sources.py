"""Images as a Python program has them: paths, nibabel's images, arrays."""

from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Shaped
from nibabel.spatialimages import SpatialImage

from l2r.arrays import Spacing
from l2r.errors import ImageError
from l2r.formats.affine import usable
from l2r.formats.base import Stored
from l2r.formats.table import format_of
from l2r.formats.volumes import Image, image_of

ImageSource: TypeAlias = str | Path | SpatialImage | Image | Shaped[np.ndarray, "..."]
MILLIMETRE: Spacing = (1.0, 1.0, 1.0)


def as_image(source: ImageSource, role: str, spacing_mm: Spacing = MILLIMETRE) -> Image:
    """An image of any kind, checked as one of a file is.

    Args:
        source: the image.
        role: `fixed` or `moving`, for messages.
        spacing_mm: sides of a voxel, where the source is an array.

    Raises:
        ImageError: it cannot be read, or is not 3-D, not finite, or constant.
    """
    name = Path(source) if isinstance(source, str | Path) else Path(f"the {role} image")
    return image_of(stored_of(source, role, spacing_mm), name)


def stored_of(source: ImageSource, role: str, spacing_mm: Spacing = MILLIMETRE) -> Stored:
    """The values of an image, a label map or a series of any type, as they are.

    Raises:
        ImageError: it cannot be read, or its affine spans no grid.
    """
    match source:
        case str() | Path():
            return format_of(Path(source)).read(Path(source), ImageError)
        case Image():
            return Stored(source.array, source.affine, source.warnings)
        case np.ndarray():
            return Stored(source, np.diag([*spacing_mm, 1.0]))
        case _:
            affine = np.asarray(source.affine, np.float64)
    if not usable(affine):
        raise ImageError(f"the {role} image: its affine spans no grid; mend it, or pass the array")
    return Stored(np.asarray(source.dataobj), affine)
