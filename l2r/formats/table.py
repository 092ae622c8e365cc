"""The table of file formats: the one place that tells them apart by the ends of names."""

from pathlib import PurePath

from l2r.formats.base import Format
from l2r.formats.metaimage import MetaImage
from l2r.formats.nifti import Nifti
from l2r.formats.npz import NumpyArchive
from l2r.formats.png import Png

FORMATS: tuple[Format, ...] = (Nifti(), MetaImage(), NumpyArchive(), Png())
"""Every format; a file whose name ends like none of them is taken for the first."""
IMAGE_SUFFIXES = tuple(suffix for kind in FORMATS if kind.has_volumes for suffix in kind.suffixes)
"""Ends of the names of images and label maps."""
FIELD_SUFFIXES = tuple(suffix for kind in FORMATS if kind.has_fields for suffix in kind.suffixes)
"""Ends of the names of displacement fields."""
IMAGE_NAMES = f"{', '.join(IMAGE_SUFFIXES[:-1])} or {IMAGE_SUFFIXES[-1]}"
"""The same, for a sentence."""


def format_of(path: PurePath) -> Format:
    """Find the format of a file by its name."""
    return next((kind for kind in FORMATS if path.name.endswith(kind.suffixes)), FORMATS[0])


def strip_suffix(name: str) -> str:
    """Return a file name without the end that tells its format."""
    suffixes = (suffix for kind in FORMATS for suffix in kind.suffixes if name.endswith(suffix))
    return name.removesuffix(next(suffixes, ""))
