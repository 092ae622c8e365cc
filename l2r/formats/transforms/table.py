"""The table of formats of transforms: the one place that tells them apart."""

from collections.abc import Sequence
from pathlib import Path

from l2r.errors import TransformError
from l2r.formats.metaimage import MetaImage
from l2r.formats.nifti import Nifti, shape_and_intent
from l2r.formats.transforms.base import PairGrids, TransformFormat
from l2r.formats.transforms.itk_affine import ItkAffine
from l2r.formats.transforms.itk_field import VECTOR, ItkField
from l2r.formats.transforms.learn2reg import Learn2RegField
from l2r.formats.transforms.nitransforms import X5, FslMatrix, Lta
from l2r.formats.transforms.simpleitk import ItkComposite, ItkImage
from l2r.transforms.base import SpatialTransform

TRANSFORM_FORMATS: tuple[TransformFormat, ...] = (
    ItkField(),
    ItkImage(),
    ItkAffine(),
    ItkComposite(),
    X5(),
    Lta(),
    FslMatrix(),
    Learn2RegField(),
)
"""Every format; of those that share a suffix the first is written where no word says which."""
DIALECTS = tuple(dict.fromkeys(kind.dialect for kind in TRANSFORM_FORMATS))
"""Words for the conventions."""


def read_transform(path: Path, grids: PairGrids, dialect: str | None = None) -> SpatialTransform:
    """Read a transform of any format.

    Args:
        path: the file.
        grids: of the images that it leads between, where they are known.
        dialect: one of `DIALECTS`; else what name and header have.

    Raises:
        TransformError, FieldError: it cannot be read, or is of no known convention.
    """
    return transform_format(path, dialect).read(path, grids)


def transform_format(path: Path, dialect: str | None = None) -> TransformFormat:
    """The format of a file that is read.

    Raises:
        TransformError: name and content are of no known convention.
    """
    return _format(path, dialect or _dialect_of(path))


def write_transform(
    path: Path,
    parts: Sequence[SpatialTransform],
    grids: PairGrids,
    dialect: str | None = None,
) -> None:
    """Write transforms that follow each other, the one at the fixed image first, as one file.

    Raises:
        TransformError: the format cannot hold them, or must know a grid.
        OutputError: the file cannot be written.
    """
    _format(path, dialect).write(path, parts, grids)


def _format(path: Path, dialect: str | None) -> TransformFormat:
    named = [kind for kind in TRANSFORM_FORMATS if path.name.endswith(kind.suffixes)]
    found = [kind for kind in named if dialect in {None, kind.dialect}]
    if found:
        return found[0]
    if named:
        words = " or ".join(dict.fromkeys(kind.dialect for kind in named))
        raise TransformError(f"{path}: files of this name are of {words}, not of {dialect}")
    known = dict.fromkeys(suffix for kind in TRANSFORM_FORMATS for suffix in kind.suffixes)
    raise TransformError(f"{path}: no transform by its name; known are {', '.join(known)}")


def _dialect_of(path: Path) -> str | None:
    """The convention that a file's content gives away, where several share its suffix."""
    if path.name.endswith(Nifti.suffixes):
        return _of_nifti(path)
    if path.suffix == ".mha":
        vectors = MetaImage().channels(path, TransformError) == 3
        return ItkImage.dialect if vectors else Learn2RegField.dialect
    if path.suffix == ".mat" and path.is_file():
        start = path.read_bytes()[:400]
        return FslMatrix.dialect if start.isascii() and b"\0" not in start else None
    return None


def _of_nifti(path: Path) -> str:
    shape, intent = shape_and_intent(path, TransformError)
    if len(shape) == 5 and shape[4] == 3:
        if intent != VECTOR:
            raise TransformError(
                f"{path}: intent code {intent}, but ITK's displacement fields have {VECTOR}, "
                "vector; if it is one, write itk after its name"
            )
        return ItkField.dialect
    if 2006 <= intent <= 2009:
        raise TransformError(
            f"{path}: a warp of FSL by its intent code {intent}; convert it first, for instance "
            "by wb_command -convert-warpfield -from-fnirt -to-itk"
        )
    return Learn2RegField.dialect
