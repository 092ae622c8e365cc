"""Estimates of the quality of a registration, without labels."""

from dataclasses import dataclass

import torch

from models.losses.anatomy import SoftLabelPair
from models.types import Fields

LEAST_DICE = 0.55
"""Estimates of brains that are registered lie above it, see docs/segmentation.md."""

LEAST_GAIN = 0.005
"""Of the estimate; a field that moves nothing gains as little, by rounding."""
ENOUGH_DICE = 0.85
"""The best estimates of registered brains; from here on nothing need be gained."""


@dataclass(frozen=True)
class DiceEstimate:
    """Dice of the soft labels of the fixed and the warped moving image."""

    dice: float
    """Mean over the structures."""
    before: float
    """The same before registration."""
    structures: dict[int, float]
    """By FreeSurfer's label."""

    @property
    def suspect(self) -> str | None:
        """Why the registration has probably failed, or None."""
        if self.dice < LEAST_DICE:
            return f"estimated Dice is {self.dice:.2f}; registered brains have {LEAST_DICE} or more"
        if self.dice < min(self.before + LEAST_GAIN, ENOUGH_DICE):
            return f"estimated Dice went from {self.before:.2f} to {self.dice:.2f}"
        return None


def estimate_dice(soft: SoftLabelPair, field: Fields) -> DiceEstimate:
    """Estimate the Dice of a displacement field.

    Args:
        soft: of the images as they are before registration.
        field: on a grid over the extent of the images, in its voxels.
    """
    before, after = _dice(soft), _dice(soft.after(field))
    structures = dict(zip(soft.labels, after.tolist(), strict=True))
    return DiceEstimate(float(after.mean()), float(before.mean()), structures)


def _dice(soft: SoftLabelPair) -> torch.Tensor:
    """Compute `2 sum(min(f, m)) / sum(f + m)` of each channel; 0 for what is in neither."""
    both = [torch.minimum(f, m).sum() for f, m in zip(soft.fixed[0], soft.moving[0], strict=True)]
    total = (soft.fixed + soft.moving).sum(dim=(0, 2, 3, 4))
    return 2 * torch.stack(both) / total.clamp(min=1e-5)
