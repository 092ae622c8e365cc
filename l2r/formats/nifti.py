"""NIfTI, packed or not: the format of the challenges' images, label maps and fields.

Reading keeps the array as it is stored: every Learn2Reg scorer ignores the header, and so do we.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile
from io import BytesIO
from pathlib import Path
from typing import IO, ClassVar
from zlib import error as zlib_error

import nibabel as nib
import numpy as np
from isal import igzip, isal_zlib
from jaxtyping import Float, Shaped
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from l2r.disk import writing
from l2r.errors import L2RError
from l2r.formats.affine import nifti_affine, sides_of
from l2r.formats.base import Format, Geometry, Stored

GZIP_MAGIC = b"\x1f\x8b"
GZIP_LEVEL = 1
"""ISA-L's level 1: benchmarks/gzip_levels.py shows what the others cost and give."""
_HEADER = 352
"""Bytes before the values."""
_BAD_GZIP: tuple[type[Exception], ...] = (isal_zlib.error, zlib_error)  # type: ignore[assignment] # untyped
_NOT_NIFTI = (ImageFileError, HeaderDataError, WrapStructError)


class Nifti(Format):
    """NIfTI-1 and NIfTI-2, told apart by their content, as packed and plain files are."""

    suffixes: ClassVar[tuple[str, ...]] = (".nii.gz", ".nii")
    damage = (
        *(OSError, EOFError, ValueError, MemoryError, OverflowError),
        *_BAD_GZIP,
        *_NOT_NIFTI,
    )

    def reason(self, cause: Exception) -> str:
        if isinstance(cause, EOFError):
            return "the gzip stream is truncated; copy the file again"
        if isinstance(cause, BadGzipFile):  # a faulty gzip header or check sum
            return f"cannot be read: {cause}"
        if isinstance(cause, _BAD_GZIP):
            return f"not a valid gzip file: {cause}"
        if isinstance(cause, _NOT_NIFTI):
            return f"not a NIfTI image: {cause}"
        return _reason(cause)

    def decode(self, path: Path, content: bytes, error: type[L2RError], most: int | None) -> Stored:
        if content[:2] == GZIP_MAGIC:
            content = igzip.decompress(content) if most is None else _unpacked(content, most)
        if most is not None and len(content) > most:
            raise error(f"{path}: it unpacks to more than the {most} bytes that a field may have")
        # Not `from_bytes`, which refuses headers whose affine makes no sense.
        file = BytesIO(content)
        header = _kind(content).header_class.from_fileobj(file)
        affine, warnings = nifti_affine(header)
        if not header["vox_offset"] >= header.single_vox_offset:  # nibabel reads from there
            header["vox_offset"] = header.single_vox_offset
            warnings = (*warnings, "its vox_offset points into the header; read from behind it")
        values = ArrayProxy(file, header)
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            raise error(f"{path}: voxels are of type {array.dtype}, but plain numbers are expected")
        scaled = header.get_data_dtype().kind in "iu" and array.dtype.kind == "f"
        slope = abs(float(values.slope)) if scaled else 0.0
        return Stored(array, np.asarray(affine, np.float64), warnings, slope)

    def header(self, path: Path, error: type[L2RError]) -> nib.Nifti1Header:
        """Read the header alone.

        Raises:
            L2RError: missing, or of another format.
        """
        with self.faults(path, error):
            with path.open("rb") as file:
                packed = file.read(2) == GZIP_MAGIC
            with igzip.open(path) if packed else path.open("rb") as file:
                head = file.read(nib.Nifti2Header.sizeof_hdr)
            kind = _kind(head).header_class
            return kind(head[: kind.sizeof_hdr])

    def geometry(self, path: Path, error: type[L2RError]) -> Geometry:
        header = self.header(path, error)
        affine, warnings = nifti_affine(header)
        sides = np.array(header.get_zooms()[:3], np.float64)
        if len(sides) < 3 or not (np.isfinite(sides).all() and (sides > 0).all()):
            sides = sides_of(affine)
        return Geometry(header.get_data_shape(), affine, sides, warnings)

    def write(
        self,
        path: Path,
        array: Shaped[np.ndarray, "..."],
        affine: Float[np.ndarray, "4 4"],
        /,
        intent: str = "none",
        time_step_s: float | None = None,
    ) -> None:
        header = nib.Nifti1Image(np.empty((0,) * array.ndim, array.dtype), affine).header
        header.set_data_shape(array.shape)
        header.set_intent(intent)
        if time_step_s is not None:
            header.set_xyzt_units("mm", "sec")
            header["pixdim"][4] = time_step_s
        header["vox_offset"] = _HEADER
        head = BytesIO()
        header.write_to(head)
        with writing(path) as raw, _packed(raw, path) as file:
            file.write(head.getvalue().ljust(_HEADER, b"\0"))
            for last in range(array.shape[-1]):
                # NIfTI runs along the first axis first, which is C order of what is transposed.
                rows = np.ascontiguousarray(array[..., last].T)
                file.write(rows.astype(rows.dtype.newbyteorder("<"), copy=False).data.cast("B"))


def shape_and_intent(path: Path, error: type[L2RError]) -> tuple[tuple[int, ...], int]:
    """Shape of a file's array and the code of its meaning, from the header alone.

    Raises:
        L2RError: missing, or of another format.
    """
    header = Nifti().header(path, error)
    return header.get_data_shape(), int(header["intent_code"])


_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}


def time_step_s(path: Path, error: type[L2RError]) -> float | None:
    """Time between the volumes of a series, or None where the header does not give it.

    Raises:
        L2RError: missing, or of another format.
    """
    header = Nifti().header(path, error)
    scale = _SECONDS.get(header.get_xyzt_units()[1])
    return None if scale is None else scale * float(header["pixdim"][4])


@contextmanager
def _packed(raw: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """The file itself, or one that packs what is written to it."""
    if not path.name.endswith(".gz"):
        yield raw
        return
    # Neither name nor time in the gzip header: the same field is the same file.
    with igzip.IGzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed:
        yield packed


def _unpacked(content: bytes, most: int) -> bytes:
    """At most one byte more than `most`."""
    with igzip.IGzipFile(fileobj=BytesIO(content)) as file:
        return file.read(most + 1)


_NIFTI2_SIZES = ((540).to_bytes(4, "little"), (540).to_bytes(4, "big"))


def _kind(content: bytes) -> type[nib.Nifti1Image]:
    return nib.Nifti2Image if content[:4] in _NIFTI2_SIZES else nib.Nifti1Image


def _reason(cause: Exception) -> str:
    """Why a file could not be read, in one line."""
    if isinstance(cause, UnicodeEncodeError):
        return "this locale cannot name the file; set PYTHONUTF8=1, or LANG=C.UTF-8"
    if isinstance(cause, OSError) and cause.strerror:
        return f"cannot be read: {cause.strerror}"
    first = str(cause).partition("\n")[0]
    return f"the image data are incomplete: {first}"
