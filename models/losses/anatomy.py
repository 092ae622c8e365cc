"""Anatomy loss: soft labels of the same structure come to lie on each other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat

from l2r.arrays import triple
from l2r.schema import Frozen
from models.losses.base import CandidateTransform
from models.losses.dice import SoftDice
from models.spatial.warp import resize_field, warp
from models.types import Scalar, Stacks

StructureWeight = Annotated[float, Field(ge=0)]


class Anatomy(Frozen):
    """Soft Dice of soft labels, which a segmentation network finds in both images.

    Source:
        The label loss of Balakrishnan et al. (2019), VoxelMorph, arXiv:1809.05231, with
        probabilities instead of label maps.
    """

    weight: PositiveFloat = 1.0
    structures: Mapping[str, StructureWeight] = Field(default_factory=dict)
    """Weights of structures in the mean, by FreeSurfer's labels; 1 for those that are not named."""

    def bind(
        self, fixed: Stacks, moving: Stacks, labels: Sequence[int]
    ) -> Callable[[CandidateTransform], Scalar]:
        """The term for one pair.

        Args:
            fixed: soft labels, one channel per structure, on a grid over the extent of the image.
            moving: the same of the moving image.
            labels: of the channels.

        Raises:
            ValueError: a structure is named that no channel has, or all weigh nothing.
        """
        if unknown := sorted(set(self.structures) - {str(label) for label in labels}):
            known = ", ".join(map(str, labels))
            raise ValueError(f"anatomy.structures: no structure {unknown[0]!r}; known are {known}")
        weights = torch.tensor([self.structures.get(str(label), 1.0) for label in labels])
        if not weights.any():
            raise ValueError("anatomy.structures: all of them weigh nothing")
        kept = weights.nonzero()[:, 0].to(fixed.device)
        fixed, moving, weights = fixed[:, kept], moving[:, kept], weights.to(fixed)[kept]
        overlap = SoftDice().bind(fixed, weights / weights.sum())
        shape = triple(fixed.shape[2:])
        return lambda transform: (
            self.weight * overlap(warp(moving, resize_field(transform.displacement, shape)))
        )
