"""Small label maps like brains, and networks for them."""

import numpy as np
from jaxtyping import Int16

from models.segmentation.config import SegmentationTraining
from models.segmentation.network import SegmentationNetworkConfig

SMALL = SegmentationNetworkConfig(widths=(4, 8))


def two_halves(size: int = 32) -> Int16[np.ndarray, "_ _ _"]:
    """White matter within cortex, right and left."""
    index = np.indices((size, size, size)) - (size - 1) / 2
    radius = np.sqrt((index**2).sum(axis=0))
    right = index[0] > 0
    cortex, white = np.where(right, 42, 3), np.where(right, 41, 2)
    labels = np.where(radius < size * 0.42, cortex, 0)
    return np.where(radius < size * 0.28, white, labels).astype(np.int16)


def training(**changes: object) -> SegmentationTraining:
    """A training of a few steps."""
    return SegmentationTraining.model_validate(
        {"network": SMALL, "steps": 6, "pool": 2, "reuse": 2} | changes
    )
