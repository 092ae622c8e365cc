"""From a displacement field to the file that the scorer reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from l2r.arrays import Shape, Vectors, triple
from l2r.errors import ImageError
from l2r.field import to_channels_first, zero_field
from l2r.formats.fields import write_field
from l2r.formats.table import format_of
from l2r.formats.volumes import grid_shape
from l2r.pairs import Pair
from l2r.submission import as_stored, as_vectors
from l2r.task import Task


@dataclass(frozen=True)
class ExportField:
    """Writes the fields of a task into a folder, each whole or not at all."""

    task: Task
    folder: Path

    def __call__(self, name: str, vectors: Vectors, affine: Float[np.ndarray, "4 4"]) -> Path:
        """Write a field as the scorer wants it.

        Args:
            name: of the file; the suffix is the format.
            vectors: on the fixed image's grid.
            affine: of the fixed image, voxels to RAS millimetres.

        Raises:
            FieldError: it holds NaN or infinite values.
            OutputError: it cannot be written.
        """
        stored = as_stored(vectors, self.task.field)
        as_vectors(stored, triple(vectors.shape[:3]), self.task, name)  # as strict as the scorer
        return self._write(name, stored, affine)

    def zero(self, name: str, pair: Pair) -> Path | None:
        """Write a zero field for a pair that failed; None where the fixed grid is not known.

        Raises:
            OutputError: it cannot be written.
        """
        shape = self.task.data.shape or _shape_or_none(pair.fixed.path)
        if shape is None:
            return None
        return self._write(name, as_stored(zero_field(shape), self.task.field), np.eye(4))

    def _write(self, name: str, stored: Vectors, affine: Float[np.ndarray, "4 4"]) -> Path:
        path = self.folder / name
        if self.task.field.components == "first" and not format_of(path).components_last:
            stored = to_channels_first(stored)
        write_field(path, stored, affine)
        return path


def _shape_or_none(path: Path) -> Shape | None:
    try:
        return grid_shape(path)
    except ImageError:
        return None
