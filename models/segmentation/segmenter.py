"""From images to soft labels and label maps."""

import hashlib
from collections import OrderedDict
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import interpolate, pad

from l2r.errors import WeightsError
from l2r.schema import parse
from models.losses.anatomy import SoftLabelPair
from models.segmentation.mixture import likeliest, sharpened
from models.segmentation.network import SegmentationNetwork, SegmentationNetworkConfig
from models.segmentation.prior import FOREGROUND
from models.segmentation.structures import (
    CLASSES,
    STRUCTURES,
    Probabilities,
    seen_both_ways,
)
from models.spatial.blocks import block_means
from models.types import Volumes
from models.weights.load import load_weights
from models.weights.registry import RegisteredWeights, look_up

HALF = 2
"""Voxels of the image along each axis that one of the soft labels' grid is long."""
_EVALUATED = [CLASSES.index(label) for label in STRUCTURES]
_KEPT = 8
"""Images whose soft labels are kept; lists name the same few images again and again."""


class Segmenter:
    """A trained segmentation network; an image that it has seen lately is not computed again."""

    def __init__(self, network: SegmentationNetwork, device: torch.device) -> None:
        self.device = device
        self._network = network.to(device).eval()
        if device.type == "cpu":
            self._network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self._kept: OrderedDict[str, Probabilities] = OrderedDict()

    @classmethod
    def from_weights(cls, weights: Path, device: torch.device) -> "Segmenter":
        """Build the network of some weights.

        Args:
            weights: a file of the default network's weights, or a name in the registry.
            device: where it computes.

        Raises:
            WeightsError: the weights cannot be found or used, or are those of another network.
        """
        found, config = look_up(weights), SegmentationNetworkConfig()
        if isinstance(found, RegisteredWeights):
            where = f"weights {found.name!r}: network"
            config = parse(SegmentationNetworkConfig, found.entry.network, where, WeightsError)
            found = found.checked()
        network = config.build()
        load_weights(network, found)
        return cls(network, device)

    def soft_labels(self, image: Volumes) -> Probabilities:
        """Probability of each class, at half the resolution of the image.

        Args:
            image: intensities in [0, 1], of an even number of voxels along each axis.
        """
        key = hashlib.sha256(image.cpu().numpy().tobytes()).hexdigest()
        if key not in self._kept:
            self._kept[key] = self._sharp(image).half()
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key].float()

    def pair(self, fixed: Volumes, moving: Volumes) -> SoftLabelPair:
        """Soft labels of the structures in both images of a pair."""
        soft = [self.soft_labels(image)[:, _EVALUATED] for image in (fixed, moving)]
        return SoftLabelPair(soft[0], soft[1], STRUCTURES)

    def label_map(self, image: Volumes) -> UInt8[Tensor, "batch 1 _ _ _"]:
        """The most likely label of each voxel, on the grid of the image.

        Args:
            image: as for `soft_labels`.
        """
        soft, flat = self._seen(image), image.flatten()
        inside = (flat > FOREGROUND).nonzero()[:, 0]
        place = soft.new_empty(len(CLASSES), len(inside), dtype=torch.float16)
        for channel, kept in enumerate(place):  # all of them, whole, would fill a memory
            fine = interpolate(soft[:, channel : channel + 1], scale_factor=HALF, mode="trilinear")
            kept.copy_(fine.flatten()[inside])
        result = torch.zeros_like(flat, dtype=torch.uint8)
        labels = torch.tensor(CLASSES, dtype=torch.uint8, device=flat.device)
        result[inside] = labels[likeliest(place, flat[inside])]
        return result.view_as(image)

    def _sharp(self, image: Volumes) -> Probabilities:
        """Probabilities by place, shape and intensities of an image that was not seen lately."""
        soft, small = self._seen(image), block_means(image, HALF)
        for one, brain in zip(soft, small[:, 0], strict=True):
            inside = brain > FOREGROUND
            one[:, inside] = sharpened(one[:, inside], brain[inside])
        return soft

    @torch.no_grad()
    def _seen(self, image: Volumes) -> Probabilities:
        """Probabilities by the network."""
        return seen_both_ways(self._probabilities, block_means(image, HALF))

    def _probabilities(self, image: Volumes) -> Probabilities:
        shape = image.shape[2:]
        wanted = self._network.grid.nearest((shape[0], shape[1], shape[2]))
        missing = [
            extra for old, new in zip(shape, wanted, strict=True) for extra in (new - old, 0)
        ]
        padded = pad(image, missing[::-1])
        x, y, z = shape
        return self._network(padded)[..., :x, :y, :z].softmax(dim=1)
