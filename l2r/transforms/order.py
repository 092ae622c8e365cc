"""The order of a chain: every field must be met where the chain comes along."""

from collections.abc import Sequence

import numpy as np

from l2r.errors import TransformError
from l2r.transforms.base import SpatialTransform, singles
from l2r.transforms.grids import Grid, Places

_SAMPLES = 12
"""Places along each axis of the reference grid that are followed through the chain."""


def check_order(parts: Sequence[SpatialTransform], names: Sequence[str], reference: Grid) -> None:
    """Follow a few places of the reference grid, and see that they come through every field.

    Args:
        parts: of the chain, the one at the reference grid first.
        names: of the parts, for the message.
        reference: the grid that the chain begins on.

    Raises:
        TransformError: a field lies elsewhere.
    """
    axes = [np.linspace(0, size - 1, _SAMPLES) for size in reference.shape]
    lattice = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")])
    places = Places(lattice, reference.affine)
    for part, name in zip(parts, names, strict=True):
        for single in singles([part]):
            grid = single.own_grid()
            if grid is not None and not grid.holds(places.on(grid).coordinates).any():
                raise TransformError(
                    f"{name}: the field lies elsewhere than the chain comes along; the order is "
                    "from the reference to the image, as in antsApplyTransforms, and the headers "
                    "must be right"
                )
            places = single.move(places)
