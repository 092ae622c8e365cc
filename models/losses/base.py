"""Candidate transforms, and the kinds of regularisers by what they penalise."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from l2r.schema import Frozen
from models.spatial.coordinate_maps import CoordinateMap, ImageBatch
from models.types import Fields, Scalar, Stacks


class CandidateTransform(ABC):
    """A deformation that is tried in one step; what nobody asks for is not computed."""

    fixed: ImageBatch
    """The image, for its grid, device and precision."""

    @property
    @abstractmethod
    def optimised(self) -> Float[Tensor, "_ 3 _ _ _"]:
        """The fields whose smoothness counts: velocities or displacements, in voxels."""

    @property
    @abstractmethod
    def displacement(self) -> Float[Tensor, "_ 3 _ _ _"]:
        """In voxels of the grid that it was made on, which may be coarser than the images'."""

    @property
    @abstractmethod
    def there(self) -> CoordinateMap:
        """From places of the fixed image to places of the moving one."""

    @property
    @abstractmethod
    def back(self) -> CoordinateMap:
        """From places of the moving image to places of the fixed one."""

    @abstractmethod
    def warp(self, moving: Stacks) -> Stacks:
        """What belongs to the moving image, on the fixed image."""

    @abstractmethod
    def warp_inverse(self, fixed: Stacks) -> Stacks:
        """What belongs to the fixed image, on the moving image."""


class RegulariserBase(Frozen, ABC):
    """A term that needs no intensities."""

    @abstractmethod
    def judge(self, trial: CandidateTransform, random: torch.Generator) -> Scalar:
        """Lower is better. `random` is for terms that look at random places."""


class SmoothnessTerm(RegulariserBase):
    """Judges what is optimised, be it a velocity or a displacement."""

    @abstractmethod
    def __call__(self, field: Fields) -> Scalar: ...

    def judge(self, trial: CandidateTransform, random: torch.Generator) -> Scalar:  # noqa: ARG002 - others draw
        return self(trial.optimised)


class DisplacementTerm(RegulariserBase):
    """Judges the displacement, however it came about."""

    @abstractmethod
    def __call__(self, field: Fields) -> Scalar: ...

    def judge(self, trial: CandidateTransform, random: torch.Generator) -> Scalar:  # noqa: ARG002 - others draw
        return self(trial.displacement)
