"""Anatomy loss: soft labels of the same structure come to lie on each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat

from l2r.arrays import triple
from l2r.schema import Frozen
from models.losses.base import CandidateTransform
from models.losses.dice import SoftDice
from models.spatial.warp import resize_field, warp
from models.types import Fields, Scalar, Stacks

StructureWeight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class SoftLabelPair:
    """Probabilities of structures in a fixed and a moving image, on a grid over their extent."""

    fixed: Stacks
    """One channel per structure."""
    moving: Stacks
    labels: tuple[int, ...]
    """Of the channels."""

    def to(self, device: torch.device) -> "SoftLabelPair":
        """The pair on a device."""
        return replace(self, fixed=self.fixed.to(device), moving=self.moving.to(device))

    def after(self, prediction: Fields) -> "SoftLabelPair":
        """The pair with the moving side warped by a prediction on any grid over the extent."""
        field = resize_field(prediction, triple(self.fixed.shape[2:]))
        return replace(self, moving=warp(self.moving, field))


class Anatomy(Frozen):
    """Soft Dice of soft labels, which a segmentation network finds in both images.

    Source:
        The label loss of Balakrishnan et al. (2019), VoxelMorph, arXiv:1809.05231, with
        probabilities instead of label maps.
    """

    weight: PositiveFloat = 1.0
    structures: Mapping[str, StructureWeight] = Field(default_factory=dict)
    """Weights of structures in the mean, by FreeSurfer's labels; 1 for those that are not named."""

    def bind(self, pair: SoftLabelPair) -> Callable[[CandidateTransform], Scalar]:
        """The term for one pair.

        Raises:
            ValueError: a structure is named that no channel has, or all weigh nothing.
        """
        known = [str(label) for label in pair.labels]
        if unknown := sorted(set(self.structures) - set(known)):
            raise ValueError(
                f"anatomy.structures: no structure {unknown[0]!r}; known are {', '.join(known)}"
            )
        weights = [self.structures.get(label, 1.0) for label in known]
        kept = [channel for channel, weight in enumerate(weights) if weight]
        if not kept:
            raise ValueError("anatomy.structures: all of them weigh nothing")
        device = pair.fixed.device
        channels = torch.tensor(kept, device=device)
        seen = replace(pair, fixed=pair.fixed[:, channels], moving=pair.moving[:, channels])
        weighs = torch.tensor([weights[channel] for channel in kept], device=device)
        overlap = SoftDice().bind(seen.fixed, weighs.to(seen.fixed))
        return lambda transform: self.weight * overlap(seen.after(transform.displacement).moving)
