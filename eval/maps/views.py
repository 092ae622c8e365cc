"""Slices as people look at them: sagittal, coronal and axial, upright, the right on the right."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import nibabel as nib
import numpy as np
from jaxtyping import Float, Shaped

from l2r.arrays import Shape, triple
from l2r.formats.affine import sides_of

ViewPlane: TypeAlias = Literal["sagittal", "coronal", "axial"]
PLANES: tuple[ViewPlane, ...] = get_args(ViewPlane)
_RIGHT, _FRONT, _UP = range(3)
_DIRECTIONS: dict[ViewPlane, tuple[int, int, int]] = {
    "sagittal": (_RIGHT, _FRONT, _UP),
    "coronal": (_FRONT, _RIGHT, _UP),
    "axial": (_UP, _RIGHT, _FRONT),
}
"""Directions of the body along the line of sight, across and up."""


@dataclass(frozen=True)
class AnatomicalView:
    """The array axes that run right, forwards and up."""

    axes: Shape
    """Array axis along each of these directions."""
    signs: Shape
    """1 where the index grows in that direction, else -1."""
    spacing_mm: tuple[float, float, float]
    """Sides of a voxel along the array axes."""

    @classmethod
    def of(cls, affine: Float[np.ndarray, "4 4"]) -> "AnatomicalView":
        """The nearest view to what an affine says, by voxel indices and RAS millimetres."""
        found = nib.io_orientation(affine)
        if not np.isfinite(found).all():  # a header without directions
            found = nib.io_orientation(np.eye(4))
        axes = triple([int(np.flatnonzero(found[:, 0] == way)[0]) for way in range(3)])
        x, y, z = (float(side) for side in sides_of(affine))
        return cls(axes, triple([int(found[axis, 1]) for axis in axes]), (x, y, z))

    def normal(self, plane: ViewPlane) -> int:
        """The array axis along the line of sight."""
        return self.axes[_DIRECTIONS[plane][0]]

    def slice_of(
        self, volume: Shaped[np.ndarray, "x y z *rest"], plane: ViewPlane, index: int
    ) -> Shaped[np.ndarray, "rows columns *rest"]:
        """One slice, its first row on top.

        Args:
            volume: values on the grid; further axes stay as they are.
            plane: the direction to look along.
            index: along `normal(plane)`.
        """
        seen, across, up = _DIRECTIONS[plane]
        where: list[slice | int] = [slice(None)] * 3
        where[self.axes[seen]] = index
        cut = volume[tuple(where)]  # a view: `np.take` would copy volumes of NIfTI's order
        if self.axes[up] > self.axes[across]:  # rows run up, columns across
            cut = np.swapaxes(cut, 0, 1)
        rows = slice(None, None, -self.signs[up])
        return cut[rows, :: self.signs[across]]

    def in_plane(
        self, vectors: Float[np.ndarray, "x y z 3"], plane: ViewPlane, index: int
    ) -> Float[np.ndarray, "rows columns 2"]:
        """Components of a slice's displacements across and up, in voxels of the grid."""
        cut = self.slice_of(vectors, plane, index)
        _, *ways = _DIRECTIONS[plane]
        return np.stack([self.signs[way] * cut[..., self.axes[way]] for way in ways], axis=-1)

    def anatomical_mm(self, vectors: Float[np.ndarray, "*grid 3"]) -> Float[np.ndarray, "*grid 3"]:
        """Displacements to the right, forwards and up, in millimetres."""
        parts = [
            sign * self.spacing_mm[axis] * vectors[..., axis]
            for axis, sign in zip(self.axes, self.signs, strict=True)
        ]
        return np.stack(parts, axis=-1)

    def extent_mm(self, shape: Shape, plane: ViewPlane) -> tuple[float, float]:
        """Width and height of a slice."""
        _, across, up = (self.axes[way] for way in _DIRECTIONS[plane])
        return shape[across] * self.spacing_mm[across], shape[up] * self.spacing_mm[up]
