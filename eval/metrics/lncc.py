"""Local normalised cross-correlation (LNCC) of intensities."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import uniform_filter

from eval.metrics.base import Case, MetricBase, Result
from l2r.arrays import block_sides, filled_box
from l2r.schema import Window

_EPSILON = 1e-5
"""Added to the denominator, so that flat windows do not divide by 0."""


def local_correlation(
    fixed: Float[np.ndarray, "x y z"],
    warped: Float[np.ndarray, "x y z"],
    window: int,
    every: int = 1,
) -> float:
    """`mean(cov(f, w)^2 / (var(f) var(w) + 1e-5))` over windows of `window` voxels a side.

    Sums, not means, over the window; it reaches beyond the border into zeros and is still counted
    full there. Windows in an image of one slice are squares.

    Args:
        fixed: intensities; the 1e-5 supposes that they are about 1 at most.
        warped: of the moving image, on the fixed grid.
        window: odd number of voxels.
        every: planes along z from one window to the next, of a volume; a window is an odd multiple.

    Returns:
        Between 0 and 1, higher is better; flat windows count as 0, so that an image does not reach
        1 with itself.

    Source:
        Balakrishnan et al. (2019), VoxelMorph, doi:10.1109/TMI.2019.2897538, equation 5.
    """
    if not fixed.any():
        return 0.0
    # Windows that see no fixed voxel other than 0 have no covariance and add nothing; the margin
    # holds the others, and what these see.
    inside = filled_box(fixed != 0, window).slices
    f, w = fixed[inside].astype(np.float64), warped[inside].astype(np.float64)
    x, y, z = block_sides(fixed.shape, window)
    count, every = x * y * z, min(every, z)

    def total(volume: Float64[np.ndarray, "x y z"]) -> Float64[np.ndarray, "x y _"]:
        sums = uniform_filter(_thick(volume, every), (x, y, z // every), mode="constant")
        return sums * (count // every)

    sum_f, sum_w = total(f), total(w)
    covariance = total(f * w) - sum_f * sum_w / count
    variances = (total(f * f) - sum_f**2 / count) * (total(w * w) - sum_w**2 / count)
    return float((covariance**2 / (variances + _EPSILON)).sum() * every / fixed.size)


def _thick(volume: Float64[np.ndarray, "x y z"], every: int) -> Float64[np.ndarray, "x y _"]:
    """Sums of so many planes, one after the other; zeros follow the last."""
    if every == 1:
        return volume
    sums = volume[..., ::every].copy(order="K")
    for start in range(1, every):
        planes = volume[..., start::every]
        sums[..., : planes.shape[2]] += planes
    return sums


def normalised(volume: Float[np.ndarray, "x y z"]) -> Float[np.ndarray, "x y z"]:
    """Divide by the largest absolute intensity, if that is not 0."""
    largest = np.abs(volume).max()
    return volume / largest if largest else volume


class LnccMetric(MetricBase):
    """Local correlation of the fixed and the warped image, squared, with a box window.

    Each image is divided by its largest absolute intensity first.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    metric: Literal["lncc"] = "lncc"
    unit: Literal[""] = ""
    folder: Literal["images"] = "images"
    window: Window = 9
    every: ClassVar[int] = 1
    """Planes along z from one window to the next."""

    def __call__(self, case: Case) -> Result:
        fixed, warped = map(normalised, case.images)
        value = local_correlation(fixed, warped, self.window, self.every)
        return Result(value, detailed=value)
