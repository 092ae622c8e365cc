"""Structural similarity (SSIM) of intensities."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import gaussian_filter

from eval.metrics.base import Case, MetricBase, Result
from l2r.arrays import inner, plane_axes

_SIGMA, _RADIUS = 1.5, 5
"""Of the Gaussian window, in voxels: 11 taps along an axis."""
_K1, _K2 = 0.01, 0.03
"""Shares of the intensities' range below which luminance and contrast count for little."""


def structural_similarity(
    fixed: Float[np.ndarray, "x y z"], warped: Float[np.ndarray, "x y z"]
) -> float:
    """`mean((2 m_f m_w + C1) (2 c_fw + C2) / ((m_f^2 + m_w^2 + C1) (v_f + v_w + C2)))`.

    Means `m`, variances `v` and covariance `c` are weighted by a Gaussian of 1.5 voxels, cut at
    five; C1 = 0.01^2 and C2 = 0.03^2. Windows lie wholly within the image; in one slice they lie in
    its plane.

    Args:
        fixed: intensities of a range of 1.
        warped: of the moving image, on the fixed grid.

    Returns:
        At most 1, which equal images have; higher is better. NaN where no window fits.

    Source:
        Wang, Bovik, Sheikh and Simoncelli (2004), Image quality assessment: from error visibility
        to structural similarity, doi:10.1109/TIP.2003.819861.
    """
    f, w = fixed.astype(np.float64), warped.astype(np.float64)
    axes = plane_axes(f.shape)

    def mean(volume: Float64[np.ndarray, "x y z"]) -> Float64[np.ndarray, "_ _ _"]:
        smooth: Float64[np.ndarray, "x y z"] = gaussian_filter(
            volume, _SIGMA, axes=axes, radius=_RADIUS
        )
        return smooth[inner(f.shape, by=_RADIUS)]

    if min(f.shape[axis] for axis in axes) <= 2 * _RADIUS:
        return float("nan")
    mean_f, mean_w = mean(f), mean(w)
    variance_f, variance_w = mean(f * f) - mean_f**2, mean(w * w) - mean_w**2
    covariance = mean(f * w) - mean_f * mean_w
    luminance = (2 * mean_f * mean_w + _K1**2) / (mean_f**2 + mean_w**2 + _K1**2)
    structure = (2 * covariance + _K2**2) / (variance_f + variance_w + _K2**2)
    return float((luminance * structure).mean())


def in_range_of_fixed(case: Case) -> tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
    """Both images of a case, divided by the fixed one's largest absolute intensity.

    Raises:
        ImageError: as for `Case.images`.
    """
    fixed, warped = case.images
    largest = np.abs(fixed).max()
    return fixed / largest, warped / largest


class Ssim(MetricBase):
    """Structural similarity of the fixed and the warped image.

    Both are divided by the largest absolute intensity of the fixed one first.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    metric: Literal["ssim"] = "ssim"
    unit: Literal[""] = ""
    folder: Literal["images"] = "images"

    def __call__(self, case: Case) -> Result:
        value = structural_similarity(*in_range_of_fixed(case))
        return Result(value, detailed=value)
