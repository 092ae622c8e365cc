"""Images and label maps in files of any format, by the ends of their names."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from jaxtyping import Float, Shaped

from l2r.arrays import Labels, Shape, triple
from l2r.errors import ImageError
from l2r.formats.affine import sides_of
from l2r.formats.base import Stored
from l2r.formats.table import format_of
from l2r.transforms.grids import Grid

logger = logging.getLogger(__name__)

_SINGLE = 2.0**-20
"""Relative error of a number that went through single precision and a few operations."""
_MOST_ROUNDING = 0.01

_INTEGERS: tuple[tuple[type[np.integer], float, float], ...] = (
    (np.int32, -(2.0**31), 2.0**31),
    (np.int64, -(2.0**63), 2.0**63),
    (np.uint64, 0.0, 2.0**64),
)
"""Types of label maps that are stored as floats, with their least value and the first too large."""


@dataclass(frozen=True)
class Image:
    """A volume as it is stored, with what its header says of the grid."""

    array: Shaped[np.ndarray, "x y z"]
    """Of single precision where it was read from a file of any type."""
    affine: Float[np.ndarray, "4 4"] = field(default_factory=lambda: np.eye(4))
    """Voxel indices to RAS millimetres."""
    warnings: tuple[str, ...] = ()
    """Faults of the header that were got around."""

    @property
    def shape(self) -> Shape:
        x, y, z = self.array.shape
        return x, y, z

    @property
    def grid(self) -> Grid:
        """The voxels without their values."""
        return Grid(self.shape, self.affine)

    @property
    def spacing_mm(self) -> Float[np.ndarray, " 3"]:
        """The sides of a voxel."""
        return sides_of(self.affine)

    @property
    def orientation(self) -> str:
        """For instance `RAS`: where each array axis points to."""
        return _directions(self.affine)


def read_image(path: Path) -> Image:
    """Read a 3-D image of any numeric type as float32, scaled as its header says.

    Raises:
        ImageError: missing, truncated, of another format, not 3-D, not finite, or
            constant.
    """
    return image_of(_read_volume(path), path)


def image_of(stored: Stored, name: Path) -> Image:
    """An image of values in memory, as `read_image` gives it.

    Args:
        stored: the values and their grid.
        name: names the image in messages.

    Raises:
        ImageError: not 3-D, not finite, or constant.
    """
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        array = stored.array.astype(np.float32, copy=False)
    image = Image(array.reshape(_three(array.shape, name)), stored.affine, stored.warnings)
    if not np.isfinite(image.array).all():
        bad = int((~np.isfinite(image.array)).sum())
        raise ImageError(f"{name}: {bad} voxels are NaN or infinite; mend the image")
    if image.array.min() == image.array.max():
        raise ImageError(
            f"{name}: every voxel is {image.array.flat[0]:g}; a constant image cannot be registered"
        )
    return image


def read_grid(path: Path) -> Grid:
    """Read the grid of an image or a series from its header alone.

    Raises:
        ImageError: it cannot be read, or has fewer than two axes.
    """
    geometry = format_of(path).geometry(path, ImageError)
    if len(geometry.shape) < 2:
        raise ImageError(f"{path}: shape {geometry.shape}, but a volume is expected")
    return Grid(triple((*geometry.shape[:3], 1)[:3]), geometry.affine)


def grid_shape(path: Path) -> Shape:
    """Shape of a 3-D image, from its header alone.

    Raises:
        ImageError: missing, of another format, or not 3-D.
    """
    return _three(format_of(path).geometry(path, ImageError).shape, path)


def grid_spacing(path: Path) -> tuple[float, float, float]:
    """Sides of a 3-D image's voxels in mm, from its header alone, as the scorers take them.

    Raises:
        ImageError: missing, or of another format.
    """
    geometry = format_of(path).geometry(path, ImageError)
    if geometry.warnings:
        logger.warning("%s: %s", path, "; ".join(geometry.warnings))
    x, y, z = (float(side) for side in geometry.spacing_mm)
    return x, y, z


def grid_orientation(path: Path) -> str:
    """Directions of the array axes, for instance `RAS`, from the header alone.

    Returns:
        `?` for an axis whose direction the header does not give.

    Raises:
        ImageError: missing, or of another format.
    """
    geometry = format_of(path).geometry(path, ImageError)
    return "???" if geometry.warnings else _directions(geometry.affine)


def read_labels(path: Path) -> Labels:
    """Read a 3-D label map of whole numbers, stored as integers or as floats.

    Raises:
        ImageError: as for `read_image`, or a label is not a whole number.
    """
    stored = _read_volume(path)
    array = stored.array
    if np.issubdtype(array.dtype, np.integer):
        return array
    if faulty := int(np.count_nonzero(~np.isfinite(array))):
        raise ImageError(f"{path}: {faulty} labels are NaN or infinite; give those voxels 0")
    rounded = np.rint(array)
    with np.errstate(invalid="ignore"):  # a value that does not fit differs, and is refused
        labels = rounded.astype(_integer_type(array))
    off = np.abs(labels - array) > _tolerance(stored)
    if off.any():
        raise ImageError(
            f"{path}: labels must be whole numbers, {np.count_nonzero(off)} are not, for instance "
            f"{array[off].flat[0]:.7g}; was the map interpolated linearly?"
        )
    return labels


def _tolerance(stored: Stored) -> float:
    """The farthest from a whole number that a stored one may be by rounding alone.

    An integer type with a slope holds whole numbers only to half a slope. Beyond a slope of one
    everything would be whole.
    """
    most = float(np.abs(stored.array).max())
    rounding = min(_MOST_ROUNDING, max(1.0, most) * _SINGLE)
    return rounding + (stored.slope / 2 if stored.slope < 1 else 0.0)


def _integer_type(array: Float[np.ndarray, "_ _ _"]) -> type[np.integer]:
    """The smallest of the usual types that has room for all values of a floating-point map."""
    low, high = array.min(), array.max()
    for kind, least, beyond in _INTEGERS:
        if low >= least and high < beyond:
            return kind
    return np.int64


def write_volume(
    path: Path,
    array: Shaped[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"] | None = None,
) -> None:
    """Write an image or a label map, atomically and byte for byte repeatable.

    Args:
        path: its end says which format.
        array: the values.
        affine: voxel indices to RAS millimetres; without one, voxels are 1 mm.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    format_of(path).write(path, array, np.eye(4) if affine is None else affine)


def _read_volume(path: Path) -> Stored:
    stored = format_of(path).read(path, ImageError)
    return stored._replace(array=stored.array.reshape(_three(stored.array.shape, path)))


def _directions(affine: Float[np.ndarray, "4 4"]) -> str:
    return "".join(code or "?" for code in nib.aff2axcodes(affine))


def _three(shape: tuple[int, ...], path: Path) -> Shape:
    """The shape without the ones that may follow; two axes are those of one slice."""
    if len(shape) < 2 or 0 in shape or any(size != 1 for size in shape[3:]):
        raise ImageError(
            f"{path}: shape {shape}, but a 3-D volume (x, y, z) or a slice (x, y) is expected"
        )
    x, y, z = (int(size) for size in (*shape, 1)[:3])
    return x, y, z
