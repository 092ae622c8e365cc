"""The interface of a file format: values with their geometry in, volumes and fields out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from l2r.errors import L2RError

HEADER_BYTES = 1 << 16
"""More than the header of any format takes; most are of some hundred."""


class Stored(NamedTuple):
    """The values of a file, and its header's statement of the grid."""

    array: Shaped[np.ndarray, "..."]
    affine: Float[np.ndarray, "4 4"]
    """Voxel indices to RAS millimetres."""
    warnings: tuple[str, ...] = ()
    """Faults of the header that were got around."""
    slope: float = 0.0
    """Distance of neighbouring values, where they are scaled integers."""


@dataclass(frozen=True)
class Geometry:
    """The grid of an image, from its header alone."""

    shape: tuple[int, ...]
    affine: Float[np.ndarray, "4 4"]
    """Voxel indices to RAS millimetres."""
    spacing_mm: Float[np.ndarray, " 3"]
    warnings: tuple[str, ...] = ()


class Format(ABC):
    """A file format, known by the ends of its names; what it cannot do it refuses."""

    suffixes: ClassVar[tuple[str, ...]]
    """The first is the one that is written."""
    damage: ClassVar[tuple[type[Exception], ...]]
    """Exceptions that reading raises where there is no file or it is not as it should be."""
    missing: ClassVar[str] = "no such file"
    has_volumes: ClassVar[bool] = True
    """Images and label maps can be kept in it, not displacement fields alone."""
    has_fields: ClassVar[bool] = True
    """Displacement fields can be kept in it."""
    components_last: ClassVar[bool] = False
    """The components of a field are its last axis, whatever a task asks of other formats."""

    def read(
        self,
        path: Path,
        error: type[L2RError],
        data: bytes | None = None,
        most: int | None = None,
    ) -> Stored:
        """Read the values of a file in their own type.

        Args:
            path: names the file in messages, and is read unless `data` is given.
            error: kind of what is raised.
            data: the file's content, where it comes from a zip.
            most: bytes that it may unpack to; a file of a stranger may unpack to anything.

        Raises:
            L2RError: missing, truncated, of another format, or larger than `most`.
        """
        with self.faults(path, error):
            content = self.content(path, most) if data is None else data
            return self.decode(path, content, error, most)

    def content(self, path: Path, most: int | None) -> bytes:
        """Read the bytes of a file, but not many more than may be used of it."""
        with path.open("rb") as file:
            return file.read(-1 if most is None else HEADER_BYTES + most + 1)

    @contextmanager
    def faults(self, path: Path, error: type[L2RError]) -> Iterator[None]:
        """Turn whatever can go wrong in reading into an `error` of one line."""
        try:
            yield
        except self.damage as cause:
            missing = isinstance(cause, FileNotFoundError)
            raise error(f"{path}: {self.missing if missing else self.reason(cause)}") from None

    @abstractmethod
    def reason(self, cause: Exception) -> str:
        """The fault of a file in words, of one line; `cause` is one of `damage`."""

    @abstractmethod
    def decode(self, path: Path, content: bytes, error: type[L2RError], most: int | None) -> Stored:
        """Make values of a file's content, as `read` describes them; called within `faults`."""

    def geometry(self, path: Path, error: type[L2RError]) -> Geometry:
        """Read the grid of an image, without its values.

        Raises:
            L2RError: missing, of another format, or the format has no images.
        """
        raise error(f"{path}: {self.suffixes[0]} files hold no images, only fields")

    @abstractmethod
    def write(
        self, path: Path, array: Shaped[np.ndarray, "..."], affine: Float[np.ndarray, "4 4"], /
    ) -> None:
        """Write a volume or a field, atomically and byte for byte repeatable.

        Raises:
            OutputError: the folder is missing, read-only or full.
        """
