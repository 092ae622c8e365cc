"""Maps from one image to another, as functions of places.

A place is given in coordinates that run from 0 at the centre of the first voxel to 1 at that of the
last, component `d` along array axis `d`. They mean the same on every grid over one extent, so a map
found at a quarter of the resolution can be followed at full resolution.

Source:
    Greer et al. (2021), ICON, arXiv:2105.04459, where maps are functions that are composed.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from l2r.arrays import Shape, triple
from models.spatial.warp import sample
from models.types import Fields

Coordinates = Float[Tensor, "batch 3 _ _ _"]
ImageBatch = Float[Tensor, "batch 1 _ _ _"]


class GridPoints(NamedTuple):
    """A place for every voxel of some grid."""

    coordinates: Coordinates
    at_rest: bool = False
    """They are the centres of that grid's own voxels: its identity map."""


CoordinateMap: TypeAlias = Callable[[GridPoints], GridPoints]
"""Where places of the fixed image lie in the moving one: `moving(phi(p))` looks like `fixed(p)`."""


def identity(like: ImageBatch, shape: Shape | None = None) -> GridPoints:
    """The voxels' own places on a grid, that of `like` unless another shape is given.

    Args:
        like: gives batch, device and precision, which is single at least.
        shape: of the grid.
    """
    shape = shape or triple(like.shape[2:])
    return GridPoints(evenly_spaced(like, shape, (0.0, 0.0, 0.0)), at_rest=True)


def evenly_spaced(like: ImageBatch, shape: Shape, first: Sequence[float]) -> Coordinates:
    """Places on a grid of this shape, along axis `d` from `first[d]` to `1 - first[d]`."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    lines = [
        torch.linspace(start, 1 - start, size, dtype=dtype, device=like.device)
        for start, size in zip(first, shape, strict=True)
    ]
    coordinates = torch.stack(torch.meshgrid(*lines, indexing="ij"))
    return coordinates.expand(len(like), -1, -1, -1, -1)


def displaced(displacement: Fields) -> CoordinateMap:
    """`phi(p) = p + u(p)`, with `u` in coordinates; beyond the border its border values continue.

    At its own voxels' places `u` is added as it is, anywhere else it is interpolated.
    """

    def phi(points: GridPoints) -> GridPoints:
        places = points.coordinates
        if points.at_rest and places.shape[2:] == displacement.shape[2:]:
            return GridPoints(places + displacement)
        return GridPoints(places + sample(displacement, places, padding="border"))

    return phi


def composed(outer: CoordinateMap, inner: CoordinateMap) -> CoordinateMap:
    """`phi(p) = outer(inner(p))`."""
    return lambda points: outer(inner(points))
