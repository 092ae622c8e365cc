"""Candidate transforms, and the kinds of regularisers by what they penalise."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from l2r.arrays import plane_axes
from l2r.schema import Frozen
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch
from models.types import Fields, Scalar, Stacks

Components = Float[Tensor, "batch _ _ _ _"]
"""Components of a field, at all voxels or those inside."""


class CandidateTransform(ABC):
    """A transform that an optimiser tries in one step; each property is computed on first use."""

    fixed: ImageBatch
    """Fixed image, for its grid, device and precision."""

    @property
    @abstractmethod
    def optimised(self) -> Float[Tensor, "_ 3 _ _ _"]:
        """Fields whose smoothness is penalised: velocities or displacements, in voxels."""

    @property
    @abstractmethod
    def displacement(self) -> Float[Tensor, "_ 3 _ _ _"]:
        """Forward displacement in voxels of its own grid, which may be coarser than the images'."""

    @property
    @abstractmethod
    def forward(self) -> CoordinateMap:
        """Forward map, from places of the fixed image to places of the moving one."""

    @property
    @abstractmethod
    def inverse(self) -> CoordinateMap:
        """Inverse map, from places of the moving image to places of the fixed one."""

    @abstractmethod
    def warp(self, moving: Stacks) -> Stacks:
        """Warp the moving image, or label maps of it, onto the fixed grid."""

    @abstractmethod
    def warp_inverse(self, fixed: Stacks) -> Stacks:
        """Warp the fixed image, or label maps of it, onto the moving grid."""


class RegulariserBase(Frozen, ABC):
    """A term of the transform alone, without intensities."""

    @abstractmethod
    def penalty(self, transform: CandidateTransform, random: torch.Generator) -> Scalar:
        """Penalty of a transform, lower is better; `random` is for terms that sample places."""


class SmoothnessTerm(RegulariserBase):
    """A penalty on the optimised fields, velocities or displacements."""

    @abstractmethod
    def __call__(self, field: Fields) -> Scalar: ...

    def penalty(self, transform: CandidateTransform, random: torch.Generator) -> Scalar:  # noqa: ARG002 - others draw
        return self(transform.optimised)


def in_plane(field: Fields) -> tuple[Components, tuple[int, ...]]:
    """The components of a field along the axes of more than one voxel, and these axes.

    All three of a volume; of one slice those in its plane, as a field in two dimensions has them.
    """
    axes = plane_axes(field.shape[2:])
    return (field if len(axes) == 3 else field[:, list(axes)]), axes


class DisplacementTerm(RegulariserBase):
    """A penalty on the displacement, however it is parametrised."""

    @abstractmethod
    def __call__(self, field: Fields) -> Scalar: ...

    def penalty(self, transform: CandidateTransform, random: torch.Generator) -> Scalar:  # noqa: ARG002 - others draw
        return self(transform.displacement)
