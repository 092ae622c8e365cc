"""Shapes, and the exact bookkeeping between an image's own grid and a working grid.

A `Box` is a piece of index space, in voxels of the fixed image. It may reach beyond the image
(padding) or leave parts of it out (cropping). Fixed and moving image are cut by the same box, so
`warped(p) = moving(p + u(p))` means the same inside the box as outside: displacements never
change their value, only their place.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Integer, Shaped

Shape = tuple[int, int, int]
Volume = Float32[np.ndarray, "x y z"]
Labels = Integer[np.ndarray, "x y z"]
Vectors = Float32[np.ndarray, "x y z 3"]


@dataclass(frozen=True)
class Box:
    """The half-open piece `start <= p < start + shape` of the fixed image's index space."""

    start: Shape
    shape: Shape

    def cut(self, volume: Shaped[np.ndarray, "_ _ _"]) -> Shaped[np.ndarray, "_ _ _"]:
        """The volume inside the box; zero where the box reaches beyond the volume."""
        inside, outside = self._overlap(_shape_of(volume))
        result = np.zeros(self.shape, dtype=volume.dtype)
        result[inside] = volume[outside]
        return result

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


@dataclass(frozen=True)
class GridRule:
    """Which grids a network or a refinement can work on."""

    multiple: int = 1
    """Every axis is a multiple of this many voxels."""
    exactly: Shape | None = None
    """The only shape there is, for networks whose weights know every place of their grid."""

    def nearest(self, shape: Shape) -> Shape:
        """The smallest shape that is allowed and holds `shape`; `exactly`, if there is one."""
        if self.exactly is not None:
            return self.exactly
        return _triple([-(-size // self.multiple) * self.multiple for size in shape])

    def problem(self, shape: Shape) -> str | None:
        """Why a grid of this shape is not allowed and which one is, or None."""
        works = self.nearest(shape)
        if shape == works:
            return None
        if self.exactly is not None:
            return f"the grid must be {works}, got {shape}"
        return f"axes must be multiples of {self.multiple}, got {shape}; the nearest is {works}"

    def joined(self, other: "GridRule") -> "GridRule":
        """What both allow.

        Raises:
            ValueError: there is no such grid.
        """
        multiple, exactly = math.lcm(self.multiple, other.multiple), self.exactly or other.exactly
        both = GridRule(multiple, exactly)
        if exactly is not None:
            for rule in (GridRule(multiple), self, other):
                if problem := rule.problem(exactly):
                    raise ValueError(problem)
        return both


def working_box(fixed: Shape, moving: Shape, rule: GridRule) -> Box:
    """The smallest centred box that holds both images and that a network accepts.

    Args:
        fixed: shape of the fixed image, in voxels.
        moving: shape of the moving image, in voxels; both share the origin of index space.
        rule: what the network accepts; a shape that it fixes may be too small for the images.
    """
    both = _triple([max(pair) for pair in zip(fixed, moving, strict=True)])
    shape = rule.nearest(both)
    start = [-((length - size) // 2) for length, size in zip(shape, both, strict=True)]
    return Box(_triple(start), shape)


def _triple(values: list[int]) -> Shape:
    x, y, z = values
    return x, y, z


def _shape_of(volume: Shaped[np.ndarray, "_ _ _"]) -> Shape:
    return _triple(list(volume.shape))
