"""Gradient correlation of two images, place by place."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter

from l2r.arrays import plane_axes

WINDOW = 9
"""Voxels along a side of the cube around each place."""
_FLAT = 1e-4
"""Added to the norm: gradients of a hundredth of an image's range correlate with nothing."""


def gradient_correlation_map(
    fixed: Float[np.ndarray, "x y z"], warped: Float[np.ndarray, "x y z"], window: int = WINDOW
) -> Float[np.ndarray, "x y z"]:
    """Correlate the derivatives of two images within a cube around each voxel.

    The mean over the three axes of `sum(a b) / sqrt(sum(a^2) sum(b^2))`, with central differences
    `a` of the fixed and `b` of the warped image: the correlation of the metric, within a cube
    instead of over the whole image. Of one slice, over the two axes of its plane.

    Args:
        fixed: intensities from 0 to 1; a slab as thick as the window gives one exact slice.
        warped: of the moving image, on the same grid.
        window: voxels along a side of the cube.

    Returns:
        Between -1 and 1, 1 where edges are the same, 0 where an image is flat.

    Source:
        Förner, Tehlan and Wendler (2024), Fine-tuning TransMorph with gradient correlation for
        anatomical alignment, Learn2Reg 2024, equations 1 to 4.
    """
    total, axes = np.zeros(fixed.shape, np.float32), plane_axes(fixed.shape)
    for axis in axes:
        a, b = (np.gradient(image, axis=axis) for image in (fixed, warped))
        joint, own, other = (uniform_filter(part, window) for part in (a * b, a * a, b * b))
        total += joint / (np.sqrt(np.maximum(own * other, 0)) + _FLAT)
    return total / len(axes)
