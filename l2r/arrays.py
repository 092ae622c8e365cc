"""Shapes, and pieces of index space.

A `Box` is a piece of index space, in voxels of the fixed image. It may reach beyond the image
(padding) or leave parts of it out (cropping). Fixed and moving image are cut by the same box, so
`warped(p) = moving(p + u(p))` means the same inside the box as outside: displacements never
change their value, only their place.

An image in two dimensions is a volume of one slice, `(x, y, 1)`. Its field has three components as
any other, and the third one is zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Integer, Shaped

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
Volume = Float32[np.ndarray, "x y z"]
Labels = Integer[np.ndarray, "x y z"]
Vectors = Float32[np.ndarray, "x y z 3"]


@dataclass(frozen=True)
class Box:
    """The half-open piece `start <= p < start + shape` of the fixed image's index space."""

    start: Shape
    shape: Shape

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as indices, for one that does not begin before the volume."""
        x, y, z = (slice(a, a + n) for a, n in zip(self.start, self.shape, strict=True))
        return x, y, z

    def cut(self, volume: Shaped[np.ndarray, "_ _ _"]) -> Shaped[np.ndarray, "_ _ _"]:
        """The volume inside the box; zero where the box reaches beyond the volume."""
        inside, outside = self._overlap(_shape_of(volume))
        result = np.zeros(self.shape, dtype=volume.dtype)
        result[inside] = volume[outside]
        return result

    def view(self, volume: Shaped[np.ndarray, "_ _ _"]) -> Shaped[np.ndarray, "_ _ _"]:
        """Cut, but without a copy where the box lies within the volume."""
        ends = zip(self.start, self.shape, volume.shape, strict=True)
        if all(start >= 0 and start + length <= size for start, length, size in ends):
            return volume[self.slices]
        return self.cut(volume)

    def place(self, vectors: Float32[np.ndarray, "_ _ _ 3"], shape: Shape) -> Vectors:
        """A field known inside the box, on the full grid; its border values continue outside."""
        if (self.start, self.shape) == ((0, 0, 0), shape):
            return vectors
        reach = [
            np.clip(np.arange(size) - start, 0, length - 1)
            for size, start, length in zip(shape, self.start, self.shape, strict=True)
        ]
        return vectors[np.ix_(*reach)]

    def _overlap(self, shape: Shape) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        low = [max(0, start) for start in self.start]
        high = [
            max(first, min(size, start + length))
            for size, start, length, first in zip(shape, self.start, self.shape, low, strict=True)
        ]
        outside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        inside = tuple(
            slice(a - start, b - start) for a, b, start in zip(low, high, self.start, strict=True)
        )
        return inside, outside


def filled_box(mask: Bool[np.ndarray, "x y z"], margin: int) -> Box:
    """The box of all voxels of a mask, with a margin where the volume has room for it.

    Args:
        mask: at least one voxel is true.
        margin: voxels on each side.
    """
    filled = mask.any(axis=(1, 2)), mask.any(axis=(0, 2)), mask.any(axis=(0, 1))
    ends = [
        (max(0, int(places[0]) - margin), min(size, int(places[-1]) + margin + 1))
        for places, size in zip(map(np.flatnonzero, filled), mask.shape, strict=True)
    ]
    return Box(triple([a for a, _ in ends]), triple([b - a for a, b in ends]))


def triple(values: Sequence[int]) -> Shape:
    """Three numbers, one per axis."""
    x, y, z = values
    return x, y, z


def plane_axes(shape: Sequence[int]) -> tuple[int, ...]:
    """Axes that have more than one voxel: all three of a volume, two of an image of one slice."""
    return tuple(axis for axis, size in enumerate(shape) if size > 1)


def block_sides(shape: Sequence[int], side: int) -> Shape:
    """Sides of a block of voxels: a cube of a volume, a square of an image of one slice.

    Example:
        >>> block_sides((160, 224, 1), 4)
        (4, 4, 1)
    """
    return triple([side if size > 1 else 1 for size in shape])


def inner(shape: Sequence[int], by: int = 1) -> tuple[slice, ...]:
    """Voxels that are `by` or more away from the border; the one slice of an image counts whole."""
    return tuple(slice(by, -by) if size > 1 else slice(None) for size in shape)


def _shape_of(volume: Shaped[np.ndarray, "_ _ _"]) -> Shape:
    return triple(volume.shape)
