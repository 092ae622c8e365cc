"""The structures that a segmentation knows, by FreeSurfer's labels."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from models.types import Volumes

LEFT_TO_RIGHT = {
    2: 41, 3: 42, 4: 43, 5: 44, 7: 46, 8: 47, 10: 49, 11: 50, 12: 51, 13: 52, 17: 53, 18: 54,
    26: 58, 28: 60,
}  # fmt: skip
MIDLINE = (14, 15, 16)
STRUCTURES = tuple(sorted([*LEFT_TO_RIGHT, *LEFT_TO_RIGHT.values(), *MIDLINE]))
"""The 31 structures of aseg that challenges evaluate."""
OUTER_FLUID = 24
CLASSES = (0, *STRUCTURES, OUTER_FLUID)
"""The label of each channel of a segmentation: background, structures, fluid around the brain."""

NEAREST = {
    30: 2, 62: 41, 25: 2, 57: 41, 72: OUTER_FLUID, 85: OUTER_FLUID,
    136: 3, 137: 42, 163: 3, 164: 42,
}  # fmt: skip
"""Small labels of FreeSurfer's that are taught as another structure: vessels and lesions as white
matter, the fifth ventricle and the optic chiasm as fluid, small parts of the cerebrum as cortex."""

Channels = Integer[Tensor, "1 _ _ _"]
Probabilities = Float[Tensor, "batch channel _ _ _"]
"""Of each of `CLASSES`."""


def to_channels(labels: Integer[Tensor, "1 _ _ _"]) -> Channels:
    """The channel of each voxel; a label that no channel has is background."""
    most = max(int(labels.max()), *CLASSES, *NEAREST)
    table = torch.zeros(most + 1, dtype=torch.long, device=labels.device)
    for label in (*CLASSES, *NEAREST):
        table[label] = CLASSES.index(NEAREST.get(label, label))
    return table[labels.long()]


def mirrored() -> list[int]:
    """For each channel the one of the other side of the brain."""
    other = LEFT_TO_RIGHT | {right: left for left, right in LEFT_TO_RIGHT.items()}
    return [CLASSES.index(other.get(label, label)) for label in CLASSES]


def swap_channels(channels: Channels) -> Channels:
    """Each structure becomes that of the other side."""
    return torch.tensor(mirrored(), device=channels.device)[channels.long()]


def swap_probabilities(probabilities: Probabilities) -> Probabilities:
    """Each channel becomes that of the other side."""
    return probabilities[:, mirrored()]


def seen_both_ways(see: Callable[[Volumes], Probabilities], image: Volumes) -> Probabilities:
    """The mean of what is seen in an image and in its mirror image, left to right on axis 2."""
    return (see(image) + swap_probabilities(see(image.flip(2)).flip(2))) / 2
