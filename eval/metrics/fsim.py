"""Feature similarity (FSIM) of images in two dimensions."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import convolve, uniform_filter

from eval.metrics.base import Case, MetricBase, Result, mean_of_defined
from eval.metrics.phase_congruency import phase_congruency
from eval.metrics.ssim import in_range_of_fixed

_SCHARR = np.array([[3.0, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
_PHASE, _GRADIENT = 0.85, 160.0
"""Keep the two similarities from dividing by 0, for intensities from 0 to 255."""
_SIDE = 256
"""Pixels of the shorter side up to which images are compared as they are."""


def feature_similarity(fixed: Float[np.ndarray, "x y"], warped: Float[np.ndarray, "x y"]) -> float:
    """`sum(S_PC S_G PC_m) / sum(PC_m)`, `PC_m` the larger phase congruency of the two images.

    `S_PC = (2 PC_f PC_w + 0.85) / (PC_f^2 + PC_w^2 + 0.85)`, and `S_G` the same of the gradients'
    lengths by Scharr's operator, with 160. Images of a shorter side of 384 pixels or more are
    averaged and thinned out first.

    Args:
        fixed: intensities from 0 to 255.
        warped: of the moving image, on the fixed grid.

    Returns:
        At most 1, which equal images have; higher is better. NaN where neither has any feature.

    Source:
        Zhang, Zhang, Mou and Zhang (2011), FSIM: a feature similarity index for image quality
        assessment, doi:10.1109/TIP.2011.2109730.
    """
    one, other = (_thinned(image.astype(np.float64)) for image in (fixed, warped))
    phase_one, phase_other = phase_congruency(one), phase_congruency(other)
    similar = _alike(phase_one, phase_other, _PHASE)
    similar *= _alike(_gradient(one), _gradient(other), _GRADIENT)
    weight = np.maximum(phase_one, phase_other)
    return float((similar * weight).sum() / weight.sum()) if weight.any() else float("nan")


def _thinned(image: Float64[np.ndarray, "x y"]) -> Float64[np.ndarray, "_ _"]:
    step = max(1, round(min(image.shape) / _SIDE))
    # Windows of an even size begin one pixel before the middle, so that they are whole blocks.
    smooth: Float64[np.ndarray, "x y"] = uniform_filter(
        image, step, mode="constant", origin=step % 2 - 1
    )
    return smooth[::step, ::step]


def _gradient(image: Float64[np.ndarray, "x y"]) -> Float64[np.ndarray, "x y"]:
    return np.hypot(*(convolve(image, kernel, mode="constant") for kernel in (_SCHARR, _SCHARR.T)))


def _alike(
    one: Float64[np.ndarray, "x y"], other: Float64[np.ndarray, "x y"], constant: float
) -> Float64[np.ndarray, "x y"]:
    return (2 * one * other + constant) / (one**2 + other**2 + constant)


class Fsim(MetricBase):
    """Feature similarity of the fixed and the warped image; of a volume, the mean over its slices.

    The largest absolute intensity of the fixed one becomes 255 in both. Slices along the third axis
    without a feature in either image do not count.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    metric: Literal["fsim"] = "fsim"
    unit: Literal[""] = ""
    folder: Literal["images"] = "images"

    def __call__(self, case: Case) -> Result:
        flat = case.shape.index(1) if 1 in case.shape else 2
        slices = zip(*(np.moveaxis(i, flat, 0) for i in in_range_of_fixed(case)), strict=True)
        values = [feature_similarity(255 * fixed, 255 * warped) for fixed, warped in slices]
        value = mean_of_defined(np.array(values))
        return Result(value, detailed=value)
