"""Images and fields in files: NIfTI here, MetaImage (`.mha`) by `l2r.formats.metaimage`.

Reading keeps the array as it is stored: every Learn2Reg scorer ignores the header, and so do we.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from gzip import BadGzipFile
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from zlib import error as zlib_error

import nibabel as nib
import numpy as np
from isal import igzip, isal_zlib
from jaxtyping import Float, Shaped
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from l2r.arrays import Labels, Shape
from l2r.disk import writing
from l2r.errors import FieldError, ImageError, L2RError
from l2r.formats import metaimage
from l2r.formats.affine import nifti_affine

logger = logging.getLogger(__name__)

_SINGLE = 2.0**-20
"""Relative error of a number that went through single precision and a few operations."""
_MOST_ROUNDING = 0.01
GZIP_MAGIC = b"\x1f\x8b"
GZIP_LEVEL = 1
"""ISA-L's level 1: benchmarks/gzip_levels.py shows what the others cost and give."""

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
    def spacing_mm(self) -> Float[np.ndarray, " 3"]:
        """The sides of a voxel."""
        return _sides(self.affine)

    @property
    def orientation(self) -> str:
        """For instance `RAS`: where each array axis points to."""
        return "".join(code or "?" for code in nib.aff2axcodes(self.affine))


def _sides(affine: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, " 3"]:
    return np.linalg.norm(affine[:3, :3], axis=0)


def read_image(path: Path) -> Image:
    """Read a 3-D image of any numeric type as float32, scaled as its header says.

    Raises:
        ImageError: missing, truncated, neither NIfTI nor MetaImage, not 3-D, not finite, or
            constant.
    """
    stored = _read_volume(path, ImageError)
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
        array = stored.array.astype(np.float32, copy=False)
    image = Image(array, stored.affine, stored.warnings)
    if not np.isfinite(image.array).all():
        bad = int((~np.isfinite(image.array)).sum())
        raise ImageError(f"{path}: {bad} voxels are NaN or infinite; mend the image")
    if image.array.min() == image.array.max():
        raise ImageError(
            f"{path}: every voxel is {image.array.flat[0]:g}; a constant image cannot be registered"
        )
    return image


def grid_shape(path: Path) -> Shape:
    """Shape of a 3-D image, from its header alone.

    Raises:
        ImageError: missing, neither NIfTI nor MetaImage, or not 3-D.
    """
    if path.suffix == metaimage.SUFFIX:
        shape = metaimage.read_header(path, ImageError).shape
    else:
        shape = _header(path).get_data_shape()
    return _three(shape, path, ImageError)


def grid_spacing(path: Path) -> tuple[float, float, float]:
    """Sides of a 3-D image's voxels in mm, from its header alone, as the scorers take them.

    Raises:
        ImageError: missing, or neither NIfTI nor MetaImage.
    """
    if path.suffix == metaimage.SUFFIX:
        sides = _sides(metaimage.read_header(path, ImageError).affine)
    else:
        header = _header(path)
        sides = np.array(header.get_zooms()[:3], np.float64)
        if not (np.isfinite(sides).all() and (sides > 0).all()):
            affine, warnings = nifti_affine(header)
            logger.warning("%s: %s", path, "; ".join(warnings))
            sides = _sides(affine)
    x, y, z = (float(side) for side in sides)
    return x, y, z


def grid_orientation(path: Path) -> str:
    """Directions of the array axes, for instance `RAS`, from the header alone.

    Returns:
        `?` for an axis whose direction the header does not give.

    Raises:
        ImageError: missing, or neither NIfTI nor MetaImage.
    """
    if path.suffix == metaimage.SUFFIX:
        affine = metaimage.read_header(path, ImageError).affine
    else:
        affine, warnings = nifti_affine(_header(path))
        if warnings:
            return "???"
    return "".join(code or "?" for code in nib.aff2axcodes(affine))


def read_labels(path: Path) -> Labels:
    """Read a 3-D label map of whole numbers, stored as integers or as floats.

    Raises:
        ImageError: as for `read_image`, or a label is not a whole number.
    """
    stored = _read_volume(path, ImageError)
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


def _tolerance(stored: "_Stored") -> float:
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


def _header(path: Path) -> nib.Nifti1Header:
    with _image_errors(path, ImageError):
        with path.open("rb") as file:
            packed = file.read(2) == GZIP_MAGIC
        with igzip.open(path) if packed else path.open("rb") as file:
            head = file.read(nib.Nifti2Header.sizeof_hdr)
        kind = _kind(head).header_class
        return kind(head[: kind.sizeof_hdr])


def read_field(
    path: Path, data: bytes | None = None, most: int | None = None
) -> Float[np.ndarray, "..."]:
    """Read a displacement field with whatever shape and float type it has.

    Args:
        path: names the file in messages, and is read unless `data` is given.
        data: the file's content, where it comes from a zip.
        most: bytes that it may unpack to; a file of a stranger may unpack to anything.

    Raises:
        FieldError: missing, truncated, no NIfTI, or larger than `most`.
    """
    array = _read(path, FieldError, data, most).array
    return np.asarray(array, dtype=np.promote_types(array.dtype, np.float32))


def write_field(
    path: Path, vectors: Float[np.ndarray, "_ _ _ _"], affine: Float[np.ndarray, "4 4"]
) -> None:
    """Write a displacement field as float32, atomically and byte for byte repeatable.

    Args:
        path: ends in `.nii.gz`, or in `.mha` for the platform's image sockets.
        vectors: displacements in voxels of the fixed grid, `(x, y, z, 3)`; in NIfTI the components
            may be the first axis instead.
        affine: of the fixed image; for viewers only, scorers ignore it.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    if path.suffix == metaimage.SUFFIX:
        with writing(path) as raw:
            raw.writelines(metaimage.encoded(vectors, affine))
        return
    header = nib.Nifti1Image(np.empty((0, 0, 0, 3), np.float32), affine).header
    header.set_data_shape(vectors.shape)
    header["vox_offset"] = 352
    head = BytesIO()
    header.write_to(head)
    with (
        writing(path) as raw,
        # Neither name nor time in the gzip header: the same field is the same file.
        igzip.IGzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed,
    ):
        packed.write(head.getvalue().ljust(352, b"\0"))
        for last in range(vectors.shape[3]):
            # NIfTI runs along the first axis first, which is C order of what is transposed.
            rows = np.ascontiguousarray(vectors[..., last].T, dtype="<f4")
            packed.write(rows.data.cast("B"))


def write_volume(path: Path, array: Shaped[np.ndarray, "x y z"]) -> None:
    """Write an image or a label map as `.nii.gz`, atomically and byte for byte repeatable.

    Raises:
        OutputError: the folder is missing, read-only or full.
    """
    content = nib.Nifti1Image(array, np.eye(4)).to_bytes()
    with writing(path) as file:
        file.write(igzip.compress(content, GZIP_LEVEL, mtime=0))


class _Stored(NamedTuple):
    """Everything that is read of a file."""

    array: Shaped[np.ndarray, "..."]
    affine: Float[np.ndarray, "4 4"]
    warnings: tuple[str, ...] = ()
    slope: float = 0.0
    """Distance of neighbouring values, where they are scaled integers."""


def _read_volume(path: Path, error: type[L2RError]) -> _Stored:
    if path.suffix == metaimage.SUFFIX:
        stored = _Stored(*metaimage.read_values(path, error))
    else:
        stored = _read(path, error)
    return stored._replace(array=stored.array.reshape(_three(stored.array.shape, path, error)))


def _three(shape: tuple[int, ...], path: Path, error: type[L2RError]) -> Shape:
    """The shape without the ones that may follow."""
    if len(shape) < 3 or 0 in shape or any(size != 1 for size in shape[3:]):
        raise error(f"{path}: shape {shape}, but a 3-D volume (x, y, z) is expected")
    x, y, z = (int(size) for size in shape[:3])
    return x, y, z


def _read(
    path: Path, error: type[L2RError], data: bytes | None = None, most: int | None = None
) -> _Stored:
    with _image_errors(path, error):
        content = _content(path, most) if data is None else data
        if content[:2] == GZIP_MAGIC:
            content = igzip.decompress(content) if most is None else _unpacked(content, most)
        if most is not None and len(content) > most:
            raise error(f"{path}: it unpacks to more than the {most} bytes that a field may have")
        # Not `from_bytes`, which refuses headers whose affine makes no sense.
        file = BytesIO(content)
        header = _kind(content).header_class.from_fileobj(file)
        affine, warnings = nifti_affine(header)
        if not header["vox_offset"] >= header.single_vox_offset:  # nibabel would read the header
            header["vox_offset"] = header.single_vox_offset
            warnings = (*warnings, "the header's place of the voxels is in itself; they follow it")
        values = ArrayProxy(file, header)
        array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise error(f"{path}: voxels are of type {array.dtype}, but plain numbers are expected")
    scaled = header.get_data_dtype().kind in "iu" and array.dtype.kind == "f"
    slope = abs(float(values.slope)) if scaled else 0.0
    return _Stored(array, np.asarray(affine, np.float64), warnings, slope)


def _content(path: Path, most: int | None) -> bytes:
    with path.open("rb") as file:
        return file.read(-1 if most is None else most + 1)


def _unpacked(content: bytes, most: int) -> bytes:
    """At most one byte more than `most`."""
    with igzip.IGzipFile(fileobj=BytesIO(content)) as file:
        return file.read(most + 1)


_NIFTI2_SIZES = ((540).to_bytes(4, "little"), (540).to_bytes(4, "big"))


def _kind(content: bytes) -> type[nib.Nifti1Image]:
    return nib.Nifti2Image if content[:4] in _NIFTI2_SIZES else nib.Nifti1Image


@contextmanager
def _image_errors(path: Path, error: type[L2RError]) -> Iterator[None]:
    """Whatever can go wrong in reading an image, as `error`, in one line."""
    try:
        yield
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except EOFError:
        raise error(f"{path}: the gzip stream is truncated; copy the file again") from None
    except BadGzipFile as cause:  # a faulty gzip header or check sum
        raise error(f"{path}: cannot be read: {cause}") from None
    except (isal_zlib.error, zlib_error) as cause:  # type: ignore[misc] # untyped
        raise error(f"{path}: not a valid gzip file: {cause}") from None
    except (ImageFileError, HeaderDataError, WrapStructError) as cause:
        raise error(f"{path}: not a NIfTI image: {cause}") from None
    except (OSError, ValueError, MemoryError, OverflowError) as cause:
        raise error(f"{path}: {_reason(cause)}") from None


def _reason(cause: Exception) -> str:
    """Why a file could not be read, in one line."""
    if isinstance(cause, UnicodeEncodeError):
        return "this locale cannot name the file; set PYTHONUTF8=1, or LANG=C.UTF-8"
    if isinstance(cause, OSError) and cause.strerror:
        return f"cannot be read: {cause.strerror}"
    first = str(cause).partition("\n")[0]
    return f"the image data are incomplete: {first}"
