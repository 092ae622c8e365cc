"""Gradient correlation of two images, place by place."""

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import uniform_filter

from l2r.arrays import plane_axes

WINDOW = 9
"""Voxels along a side of the cube around each place."""
_FLAT = 1e-4
"""Added to the norm: gradients of a hundredth of an image's range correlate with nothing."""


def gradient_correlation_slice(
    fixed: Float[np.ndarray, "x y z"],
    warped: Float[np.ndarray, "x y z"],
    axis: int,
    at: int,
    window: int = WINDOW,
) -> Float32[np.ndarray, "_ _"]:
    """Correlate the derivatives of two images within a cube around each voxel of a slice.

    The mean over the three axes of `sum(a b) / sqrt(sum(a^2) sum(b^2))`, with central differences
    `a` of the fixed and `b` of the warped image: the correlation of the metric, within a cube
    instead of over the whole image. Of one slice, over the two axes of its plane. At a border the
    images continue as in a mirror.

    Args:
        fixed: intensities from 0 to 1.
        warped: of the moving image, on the same grid.
        axis: normal of the slice.
        at: index of the slice along it.
        window: voxels along a side of the cube.

    Returns:
        Between -1 and 1, 1 where edges are the same, 0 where an image is flat.

    Source:
        Förner, Tehlan and Wendler (2024), Fine-tuning TransMorph with gradient correlation for
        anatomical alignment, Learn2Reg 2024, equations 1 to 4.
    """
    reach, depth = window // 2, fixed.shape[axis]
    mirrored = np.pad(np.arange(depth), reach, "symmetric")[at : at + window]
    low, high = max(0, mirrored.min() - 1), mirrored.max() + 2  # derivatives need neighbours
    one, other = (np.moveaxis(image, axis, 0) for image in (fixed, warped))
    total, axes = np.zeros(one.shape[1:], np.float32), plane_axes(one.shape)
    for along in axes:
        a, b = (np.gradient(v[low:high], axis=along)[mirrored - low] for v in (one, other))
        # The mean over a cube is one over the slices, then one over a square.
        joint, own, others = (
            uniform_filter((p * q).mean(axis=0), window) for p, q in ((a, b), (a, a), (b, b))
        )
        total += joint / (np.sqrt(np.maximum(own * others, 0)) + _FLAT)
    return total / len(axes)
