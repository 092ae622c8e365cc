"""Learn2Reg's displacement fields: voxels of the fixed grid, headers ignored."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from l2r.arrays import triple
from l2r.errors import FieldError, TransformError
from l2r.field import from_channels_first, to_channels_first
from l2r.formats.affine import Affine
from l2r.formats.fields import write_field
from l2r.formats.table import format_of
from l2r.formats.transforms.base import PairGrids, TransformFormat, one_field
from l2r.submission import as_stored, as_vectors
from l2r.transforms.base import SpatialTransform
from l2r.transforms.checks import check_vectors
from l2r.transforms.grids import Grid
from l2r.transforms.learn2reg import from_learn2reg, to_learn2reg


class Learn2RegField(TransformFormat):
    """Fields that the challenge's scorers read; the grids of both images give them a place.

    Without a fixed image the header's grid counts, as Regatta writes it; without a moving image
    that of the fixed one, as in most challenges.
    """

    dialect: ClassVar[str] = "learn2reg"
    suffixes: ClassVar[tuple[str, ...]] = (".nii.gz", ".nii", ".mha", ".npz")

    def read(self, path: Path, grids: PairGrids, /) -> SpatialTransform:
        stored = format_of(path).read(path, FieldError)
        array = np.asarray(stored.array, np.promote_types(stored.array.dtype, np.float32))
        vectors = _vectors(path, array, grids)
        grid = Grid(triple(vectors.shape[:3]), _fixed(path, vectors, stored.affine, grids))
        found = from_learn2reg(vectors, grid.affine, (grids.moving or grid).affine)
        check_vectors(found.vectors, grid, path, "voxels")  # in which unlike grids do not show
        return found

    def write(self, path: Path, parts: Sequence[SpatialTransform], grids: PairGrids, /) -> None:
        field = one_field(parts, grids.fixed, path)
        vectors = to_learn2reg(field, (grids.moving or field.grid).affine)
        if grids.task is not None:
            vectors = as_stored(vectors, grids.task.field)
            if grids.task.field.components == "first" and not format_of(path).components_last:
                vectors = to_channels_first(vectors)
        write_field(path, vectors, field.grid.affine)


def _vectors(
    path: Path, array: Float[np.ndarray, "..."], grids: PairGrids
) -> Float[np.ndarray, "x y z 3"]:
    if grids.task is not None:
        shape = grids.task.data.shape or (grids.fixed.shape if grids.fixed else None)
        if shape is None:
            raise TransformError(f"{path}: task {grids.task.name} has no shape; give --fixed IMAGE")
        return as_vectors(array, shape, grids.task, str(path))
    if array.ndim == 4 and array.shape[0] == 3 != array.shape[3]:
        return from_channels_first(array)
    if array.ndim != 4 or array.shape[3] != 3:
        raise TransformError(
            f"{path}: shape {array.shape}, but a displacement field (x, y, z, 3) is expected; an "
            "image or a series is no transform"
        )
    return array


def _fixed(
    path: Path, vectors: Float[np.ndarray, "x y z 3"], header: Affine, grids: PairGrids
) -> Affine:
    """The affine of the fixed image."""
    if grids.fixed is None:
        return header
    if grids.fixed.shape != vectors.shape[:3]:
        raise TransformError(
            f"{path}: a field on a grid of {vectors.shape[:3]}, but the fixed image has "
            f"{grids.fixed.shape}; is it the field of another pair, or of the opposite direction?"
        )
    return grids.fixed.affine
