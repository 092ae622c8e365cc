"""Correlation of the gradients of two images."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Float64

from eval.metrics.base import Case, MetricBase, Result
from eval.metrics.lncc import normalised
from l2r.arrays import plane_axes

_EPSILON = 1e-10
"""Added to the product of two sums of squares, so that flat images correlate with nothing."""


def gradient_correlation(
    fixed: Float[np.ndarray, "x y z"], warped: Float[np.ndarray, "x y z"]
) -> float:
    """`(NCC_x + NCC_y + NCC_z) / 3`, NCC the correlation of the derivatives along one axis.

    NCC(a, b) is `sum(a b) / sqrt(sum(a^2) sum(b^2) + 1e-10)` over all voxels, after the mean of
    each has been subtracted; derivatives are central differences, `I(p + 1) - I(p - 1)`. Of one
    slice, the mean of the two axes in its plane.

    Returns:
        Between -1 and 1, higher is better, 1 for the same up to brightness and contrast.

    Source:
        Förner, Tehlan and Wendler (2024), Fine-tuning TransMorph with gradient correlation for
        anatomical alignment, Learn2Reg 2024, equations 1 to 4.
    """
    axes = plane_axes(fixed.shape)
    correlations = [_correlation(_edges(fixed, axis), _edges(warped, axis)) for axis in axes]
    return float(np.mean(correlations))


def _edges(image: Float[np.ndarray, "x y z"], axis: int) -> Float64[np.ndarray, "_ _ _"]:
    along = np.moveaxis(image.astype(np.float64), axis, 0)
    return along[2:] - along[:-2]


def _correlation(a: Float64[np.ndarray, "_ _ _"], b: Float64[np.ndarray, "_ _ _"]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + _EPSILON))


class GradientCorrelationMetric(MetricBase):
    """Gradient correlation of the fixed and the warped image, over the whole grid.

    Each image is divided by its largest absolute intensity first.
    """

    better: ClassVar[Literal["higher", "lower"]] = "higher"

    metric: Literal["gradient_correlation"] = "gradient_correlation"
    unit: Literal[""] = ""
    folder: Literal["images"] = "images"

    def __call__(self, case: Case) -> Result:
        value = gradient_correlation(*map(normalised, case.images))
        return Result(value, detailed=value)
