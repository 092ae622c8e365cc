"""Probability of each structure at each place of a brain, before intensities are looked at."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from l2r.arrays import Shape
from models.segmentation.structures import CLASSES, OUTER_FLUID, mirrored, to_channels
from models.types import Volumes

Region = tuple[slice, slice, slice]
"""Voxels of a grid, along each axis."""
WHOLE: Region = (slice(None), slice(None), slice(None))
FOREGROUND = 0.02
"""Intensity above which a voxel of an image without skull is brain."""
_FLOOR = 1e-3
"""Least probability; nothing is impossible anywhere."""
_FLUID = CLASSES.index(OUTER_FLUID)


class StructurePrior(nn.Module):
    """Logits of each class by the place within the box around the brain; they can be taught.

    The box makes them independent of where a brain lies in its image and of its size; it must be
    upright.
    """

    def __init__(self, grid: Shape) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(1, len(CLASSES), *grid))

    @torch.no_grad()
    def begin_with(self, maps: Sequence[Shaped[np.ndarray, "_ _ _"]]) -> None:
        """Take the logarithms of mean frequencies; left and right are alike.

        Args:
            maps: FreeSurfer's labels of upright brains.
        """
        total = torch.zeros_like(self.logits)
        for labels in maps:
            channels = to_channels(torch.from_numpy(np.asarray(labels, np.int32))[None])[0]
            cut = channels[_box((channels > 0) & (channels != _FLUID))]
            for channel in range(len(CLASSES)):
                here = (cut == channel).to(total)[None, None]
                total[:, channel] += interpolate(here, total.shape[2:], mode="area")[:, 0]
        mean = (total + total[:, mirrored()].flip(2)) / (2 * len(maps))
        self.logits.copy_((mean + _FLOOR).log())

    def forward(self, image: Volumes, part: Region = WHOLE) -> Float[Tensor, "batch channel _ _ _"]:
        """Logits at the voxels of a part of the image's grid."""
        places = torch.stack([_places(one, part) for one in (image[:, 0] > FOREGROUND)])
        logits = self.logits.expand(len(image), -1, -1, -1, -1)
        return grid_sample(logits, places.to(logits), padding_mode="border", align_corners=False)


def _places(brain: Shaped[Tensor, "x y z"], part: Region) -> Float[Tensor, "_ _ _ 3"]:
    """Places of voxels from -1 to 1 within the box around the brain, last axis first."""
    axes = [
        (2 * (torch.arange(size, device=brain.device) + 0.5 - box.start) / (box.stop - box.start))
        - 1
        for size, box in zip(brain.shape, _box(brain), strict=True)
    ]
    seen = [axis[chosen] for axis, chosen in zip(axes, part, strict=True)]
    return torch.stack(torch.meshgrid(*seen, indexing="ij")[::-1], dim=-1)


def _box(brain: Shaped[Tensor, "x y z"]) -> Region:
    """The smallest box around it; the whole grid if there is nothing."""
    if not brain.any():
        brain = torch.ones_like(brain)
    bounds = []
    for first, second in ((1, 1), (0, 1), (0, 0)):
        filled = brain.any(dim=first).any(dim=second).nonzero()
        bounds.append(slice(int(filled.min()), int(filled.max()) + 1))
    return bounds[0], bounds[1], bounds[2]
