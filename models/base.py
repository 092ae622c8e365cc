"""What every registration network is, for those who run one."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

Volumes = Float[Tensor, "batch 1 x y z"]
Fields = Float[Tensor, "batch 3 x y z"]


class RegistrationModel(nn.Module, ABC):
    """Predicts the displacement field that brings a moving image onto a fixed one."""

    grid_multiple: ClassVar[int] = 1
    """Every axis of the images must be a multiple of this; the caller pads."""

    @abstractmethod
    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        """Displacement `u` in voxels of the given grid, `warped(p) = moving(p + u(p))`.

        Args:
            fixed: intensities as the task normalises them, LUMIR's are in [0, 1].
            moving: the same grid and intensities as `fixed`.
        """
