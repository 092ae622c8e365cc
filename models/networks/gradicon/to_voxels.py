"""From a map on the network's grid to a displacement field on the image's.

The network sees images as ITK gives them, axes (z, y, x), and resized. Along an axis of `M` voxels
that it sees as `N`, with `c` a place in coordinates of the network's grid:

    exact    image voxel `o` lies at `c = ((o + 0.5) N / M - 0.5) / (N - 1)`, where voxels are areas
             as in the resizing; the displacement is `(phi(c) - c) (N - 1) M / N` voxels
    lumir    what LUMIR's organisers wrote: `c = o / (M - 1)`, and `(phi(c) - c) M` voxels

so the second is too long by the factor `N / (N - 1)`, 0.6 % for 175 voxels, and follows the map
from places that are up to `|M / N - 1| / 2` voxels beside the voxel.
"""

from typing import Literal, TypeAlias

import torch

from l2r.arrays import Shape, triple
from models.spatial.coordinate_maps import CoordinateMap, GridPoints, evenly_spaced, identity
from models.types import Fields, Volumes

Conversion: TypeAlias = Literal["exact", "lumir"]


def displacement(
    phi: CoordinateMap, image: Volumes, network: Shape, conversion: Conversion
) -> Fields:
    """In voxels of the image's grid, axes and components in the order (x, y, z).

    Args:
        phi: between resized images with axes (z, y, x).
        image: on the grid that the field is for, axes (x, y, z).
        network: shape of the network's grid, (x, y, z).
        conversion: see above.
    """
    sizes = triple(image.shape[:1:-1])
    if conversion == "exact":
        points = _centres(image, sizes, triple(network[::-1]))
        scales = [(new - 1) * old / new for old, new in zip(image.shape[2:], network, strict=True)]
    else:
        points, scales = identity(image, sizes), list(image.shape[2:])
    moved = phi(points).coordinates - points.coordinates
    parts = [
        scale * moved[:, 2 - axis].transpose(1, 3)  # zyx -> xyz
        for axis, scale in enumerate(scales)
    ]
    return torch.stack(parts, dim=1)


def _centres(image: Volumes, sizes: Shape, network: Shape) -> GridPoints:
    """Centres of the image's voxels in coordinates of the network's grid."""
    if sizes == network:
        return identity(image, sizes)
    first = [(new / old - 1) / 2 / (new - 1) for old, new in zip(sizes, network, strict=True)]
    return GridPoints(evenly_spaced(image, sizes, first))
