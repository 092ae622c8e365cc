"""Regularisers of a forward and an inverse map: a place mapped by both should come to itself.

Source:
    Greer et al. (2021), ICON, arXiv:2105.04459; Tian et al. (2023), GradICON, arXiv:2206.05897.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from l2r.arrays import plane_axes
from models.losses.base import CandidateTransform, RegulariserBase
from models.spatial.coordinate_maps import (
    CoordinateMap,
    Coordinates,
    GridPoints,
    ImageBatch,
    identity,
)
from models.types import Scalar

_STEP = 1e-3
"""Step of the finite differences in coordinates: a thousandth of the image."""


class InverseConsistency(RegulariserBase):
    """`mean |e(p)|^2 / 3` at the voxels `p` of the moving image, `e(p) = p - forward(inverse(p))`.

    In coordinates, 0 to 1 along every axis, as ICON has it.
    """

    name: Literal["inverse_consistency"] = "inverse_consistency"

    def __call__(
        self, forward: CoordinateMap, inverse: CoordinateMap, places: Coordinates
    ) -> Scalar:
        return _error(forward, inverse, places).square().mean()

    def penalty(self, transform: CandidateTransform, random: torch.Generator) -> Scalar:  # noqa: ARG002 - others draw
        return self(transform.forward, transform.inverse, identity(transform.fixed).coordinates)


class GradIcon(RegulariserBase):
    """Change of `e(p) = p - forward(inverse(p))` from place to place; `e` itself need not vanish.

    The sum over the three axes `d` of the mean of `((e(p) - e(p + h d)) / h)^2` with `h` = 1/1000
    over all components and places `p`. These are every second voxel's, displaced at random by twice
    a voxel of the last axis (standard deviation), as the weights of uniGradICON were trained with.
    """

    name: Literal["gradicon"] = "gradicon"

    def __call__(
        self, forward: CoordinateMap, inverse: CoordinateMap, places: Coordinates
    ) -> Scalar:
        """The term at the given places."""
        start = _error(forward, inverse, places)
        axes = torch.eye(3, dtype=places.dtype, device=places.device).view(3, 1, 3, 1, 1, 1)
        changes = [
            (start - _error(forward, inverse, places + _STEP * axis)) / _STEP for axis in axes
        ]
        return torch.stack([change.square().mean() for change in changes]).sum()

    def penalty(self, transform: CandidateTransform, random: torch.Generator) -> Scalar:
        return self(transform.forward, transform.inverse, scattered(transform.fixed, random))


def scattered(like: ImageBatch, random: torch.Generator) -> Coordinates:
    """Every second voxel's place, displaced at random as in GradICON."""
    places = identity(like).coordinates[..., ::2, ::2, ::2]
    noise = torch.randn(places.shape, generator=random, dtype=places.dtype).to(places.device)
    last = max(plane_axes(like.shape[2:]), default=0)
    return places + 2 / like.shape[2 + last] * noise


def _error(
    forward: CoordinateMap, inverse: CoordinateMap, places: Coordinates
) -> Float[Tensor, "batch 3 _ _ _"]:
    return places - forward(inverse(GridPoints(places))).coordinates
