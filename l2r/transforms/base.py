"""Spatial transforms: maps from places of the fixed image to places of the moving one.

All are in RAS millimetres and in this one direction, in which an image is resampled:
`warped(x) = moving(T(x))`. Points of the fixed image go the same way; points of the moving image
need the inverse. A chain leads from the fixed image on: `T(x) = T_n(... T_2(T_1(x)))`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from l2r.formats.affine import Affine
from l2r.transforms.grids import Grid, Places, PointsMm, places_of


class SpatialTransform(ABC):
    """A map from places of the fixed image to places of the moving one."""

    @abstractmethod
    def move(self, places: Places) -> Places:
        """Bring places of the fixed image to the moving one."""

    @abstractmethod
    def inverse(self) -> "SpatialTransform":
        """The map in the opposite direction."""

    def own_grid(self) -> Grid | None:
        """The grid of its first displacement field, None where it has no field."""
        return None

    def __call__(self, points_mm: PointsMm) -> PointsMm:
        """Bring points to the moving image, in RAS millimetres."""
        return self.move(places_of(points_mm)).points_mm()


@dataclass(frozen=True)
class AffineTransform(SpatialTransform):
    """`T(x) = A x`, in homogeneous coordinates."""

    matrix: Affine
    """Of RAS millimetres."""

    def move(self, places: Places) -> Places:
        return replace(places, affine=self.matrix @ places.affine)

    def inverse(self) -> "AffineTransform":
        return AffineTransform(np.linalg.inv(self.matrix))


@dataclass(frozen=True)
class TransformChain(SpatialTransform):
    """Transforms one after the other, the one at the fixed image first."""

    parts: Sequence[SpatialTransform]

    def move(self, places: Places) -> Places:
        for part in self.parts:
            places = part.move(places)
        return places

    def inverse(self) -> "TransformChain":
        return TransformChain([part.inverse() for part in reversed(self.parts)])

    def own_grid(self) -> Grid | None:
        return next(filter(None, (part.own_grid() for part in self.parts)), None)


def singles(parts: Sequence[SpatialTransform]) -> Iterator[SpatialTransform]:
    """Yield the parts, and those of chains among them instead of the chains."""
    for part in parts:
        if isinstance(part, TransformChain):
            yield from singles(part.parts)
        else:
            yield part


def as_matrix(parts: Sequence[SpatialTransform]) -> AffineTransform | None:
    """Multiply matrices that follow each other; None if one of the parts is none."""
    matrix = np.eye(4)
    for part in singles(parts):
        if not isinstance(part, AffineTransform):
            return None
        matrix = part.matrix @ matrix
    return AffineTransform(matrix)
