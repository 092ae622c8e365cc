"""Gradient correlation: edges that lie where the other image's edges lie, global and local."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from l2r.arrays import plane_axes
from l2r.schema import Frozen, Window
from models.losses.lncc import Lncc
from models.types import Scalar, Volumes

Difference = Literal["central", "forward", "sobel"]
"""How an image is differentiated along an axis, in differences per voxel up to a factor.

"central" is `I(p + 1) - I(p - 1)`, "forward" `I(p + 1) - I(p)`, "sobel" the central one after
smoothing with (1, 2, 1) along the two other axes. Voxels without a neighbour to compare are left
out. A correlation does not see the factor, only how much the operator smooths.
"""
Derivative = Float[Tensor, "batch 1 _ _ _"]
"""The derivative along one axis, on a grid that lacks the border."""
EPSILON = 1e-10
"""Added to the product of two sums of squares, so that flat images correlate with nothing."""


class GradientCorrelation(Frozen):
    """`1 - (NCC_x + NCC_y + NCC_z) / 3`, NCC the correlation of the derivatives along one axis.

    NCC(a, b) is `sum(a b) / sqrt(sum(a^2) sum(b^2))` over all voxels, after the mean of each image
    has been subtracted. Between 0 (the same up to brightness and a positive contrast) and 2.

    Source:
        Förner, Tehlan and Wendler (2024), Fine-tuning TransMorph with gradient correlation for
        anatomical alignment, Learn2Reg 2024, equations 1 to 4, which leave the difference open.
    """

    name: Literal["gradient_correlation"] = "gradient_correlation"
    difference: Difference = "central"

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The term for one fixed image, whose own derivatives are made only once."""
        terms = [_Correlation(gradient) for gradient in gradients(fixed, self.difference)]

        def term(warped: Volumes) -> Scalar:
            found = zip(terms, gradients(warped, self.difference), strict=True)
            return 1 - torch.stack([one(gradient) for one, gradient in found]).mean()

        return term


class LocalGradientCorrelation(Frozen):
    """`1 - (LNCC_x + LNCC_y + LNCC_z) / 3`, LNCC the local correlation of the derivatives.

    LNCC is the mean over windows of `cov / sqrt(var var + 1e-5)`, see `Lncc` with `squared`
    off. Between 0 and 2, as the global one; near 1 where windows are flat.
    """

    name: Literal["local_gradient_correlation"] = "local_gradient_correlation"
    difference: Difference = "central"
    window: Window = 9

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The term for one fixed image, whose own sums are made only once."""
        local = Lncc(window=self.window, squared=False)
        terms = [local.bind(gradient) for gradient in gradients(fixed, self.difference)]

        def term(warped: Volumes) -> Scalar:
            found = zip(terms, gradients(warped, self.difference), strict=True)
            return 1 + torch.stack([one(gradient) for one, gradient in found]).mean()

        return term


class _Correlation:
    """The mean correlation of a batch with given images, kept centred."""

    def __init__(self, given: Derivative) -> None:
        self._given = _centred(given)
        self._squares = _product(self._given, self._given)

    def __call__(self, other: Derivative) -> Scalar:
        other = _centred(other)  # without this, float32 loses the digits that the mean takes
        squares = _product(other, other) * self._squares
        return (_product(self._given, other) * (squares + EPSILON).rsqrt()).mean()


def gradients(images: Volumes, difference: Difference) -> list[Derivative]:
    """The derivatives along x, y and z; of one slice, along the two axes of its plane."""
    return [_differentiate(images, axis, difference) for axis in _axes(images)]


def _differentiate(images: Volumes, axis: int, difference: Difference) -> Derivative:
    if difference == "sobel":
        for other in _axes(images):
            images = images if other == axis else _smooth(images, other)
    step = 1 if difference == "forward" else 2
    size = images.shape[axis] - step
    return images.narrow(axis, step, size) - images.narrow(axis, 0, size)


def _axes(images: Volumes) -> list[int]:
    return [2 + axis for axis in plane_axes(images.shape[2:])]


def _smooth(images: Derivative, axis: int) -> Derivative:
    size = images.shape[axis] - 2
    before, here, after = (images.narrow(axis, start, size) for start in range(3))
    return before + 2 * here + after


def _centred(images: Derivative) -> Derivative:
    return images - images.mean(dim=(2, 3, 4), keepdim=True)


def _product(one: Derivative, other: Derivative) -> Float[Tensor, " batch"]:
    return (one * other).sum(dim=(1, 2, 3, 4))
