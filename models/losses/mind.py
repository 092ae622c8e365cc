"""Modality-independent neighbourhood descriptor: compares how an image resembles itself."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor

from l2r.schema import Frozen
from models.losses.windows import box_sum
from models.types import Scalar, Volumes

Descriptors = Float[Tensor, "batch pair x y z"]
Continued = Float[Tensor, "batch 1 _ _ _"]
"""An image that goes on beyond its border, by `dilation` voxels on every side."""

Offset: TypeAlias = tuple[int, int, int]
NEIGHBOURS: list[Offset] = [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
PAIRS = [(a, b) for a, b in combinations(NEIGHBOURS, 2) if any(map(sum, zip(a, b, strict=True)))]
"""All pairs but the opposite ones: sqrt(2) apart."""
RANGE = 1e-3, 1e3
"""What the variance may be, in units of its mean over the image."""
TINY = 1e-20
"""Stands for the variance of a flat image, whose distances are all 0."""


class Mind(Frozen):
    """`mean((MIND(f) - MIND(w))^2)` over 12 channels and all voxels: MIND-SSC.

    Channel k belongs to two of the six neighbours `p + dilation e` that are sqrt(2) dilation apart:

        D_k = sum over the patch of (I(p + a_k) - I(p + b_k))^2,  E_k = D_k - min over k of D_k
        MIND_k = exp(-E_k / V),  V = mean over k of E_k, kept within 0.001 and 1000 times its mean

    One slice has the four channels of the neighbours in its plane.

    Beyond its border an image has its border values; a patch ends there. V divides out brightness,
    contrast and the size of the patch, so inverting the contrast changes nothing either. The
    bounds of V are seen as constants by the gradient.

    Source:
        Heinrich et al. (2012), doi:10.1016/j.media.2012.05.008; MIND-SSC in Heinrich et al.
        (2013), doi:10.1007/978-3-642-40811-3_24.
    """

    name: Literal["mind"] = "mind"
    radius: NonNegativeInt = 2
    """Patches are cubes of `2 radius + 1` voxels a side."""
    dilation: PositiveInt = 2
    """From a voxel to its neighbours, in voxels."""

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The term for one fixed image, which is described only once."""
        target = _normalise(_distances(_continue(fixed, self.dilation), self))[0].neg_().exp_()

        def term(warped: Volumes) -> Scalar:
            continued = _continue(warped, self.dilation)
            loss: Scalar = _Difference.apply(continued, target, self)  # type: ignore[no-untyped-call]
            return loss

        return term


class _Difference(torch.autograd.Function):
    """The mean and its gradient by hand: one stack of 12 channels is kept, the others are views.

    With u_k = E_k / V, M_k = exp(-u_k) and h_k the derivative of the term by u_k, the derivative by
    E_k is (h_k - s / 12) / V, s = sum of h_k u_k where V is within its bounds and 0 elsewhere; the
    nearest pair, whose D is the minimum, loses the sum of them all.
    """

    @staticmethod
    def forward(ctx: Any, warped: Continued, target: Descriptors, config: Mind) -> Scalar:
        exponents, variance, nearest, free = _normalise(_distances(warped, config))
        loss, through_variance = target.new_zeros(()), torch.zeros_like(variance)
        for exponent, wanted in zip(_channels(exponents), _channels(target), strict=True):
            descriptor = exponent.neg().exp_()
            difference = descriptor - wanted
            loss += difference.square().sum()
            derivative = difference.mul_(descriptor).mul_(-2 / target.numel())
            through_variance.addcmul_(derivative, exponent)
            exponent.copy_(derivative)
        exponents.sub_(through_variance.mul_(free).div_(exponents.shape[1])).div_(variance)
        exponents.scatter_add_(1, nearest, -exponents.sum(dim=1, keepdim=True))
        ctx.save_for_backward(exponents, warped)
        ctx.config = config
        return loss / target.numel()

    @staticmethod
    def backward(ctx: Any, gradient: Scalar) -> tuple[Tensor, None, None]:
        by_distance, warped = ctx.saved_tensors
        result = torch.zeros_like(warped)
        images, results = (_pairs(volume, ctx.config.dilation) for volume in (warped, result))
        for derivative, image, into in zip(_channels(by_distance), images, results, strict=True):
            by_difference = box_sum(derivative, ctx.config.radius).mul_(image[0] - image[1])
            into[0].add_(by_difference)
            into[1].sub_(by_difference)
        return result.mul_(2 * gradient), None, None


def _distances(image: Continued, config: Mind) -> Descriptors:
    x, y, z = (size - 2 * config.dilation for size in image.shape[2:])
    pairs = list(_pairs(image, config.dilation))
    distances = image.new_empty(len(image), len(pairs), x, y, z)
    for distance, (one, other) in zip(_channels(distances), pairs, strict=True):
        distance.copy_(box_sum((one - other).square_(), config.radius))
    return distances


def _normalise(distances: Descriptors) -> tuple[Descriptors, Volumes, Tensor, Tensor]:
    """Make u of the distances, in place; V, the nearest pair, and where V is within its bounds."""
    least, nearest = distances.min(dim=1, keepdim=True)
    estimate = distances.sub_(least).mean(dim=1, keepdim=True)
    low, high = (bound * estimate.mean(dim=(1, 2, 3, 4), keepdim=True) for bound in RANGE)
    variance = estimate.clamp(low, high).clamp_(min=TINY)
    return distances.div_(variance), variance, nearest, variance == estimate


def _channels(descriptors: Descriptors) -> tuple[Volumes, ...]:
    return descriptors.chunk(descriptors.shape[1], dim=1)


def _pairs(image: Continued, dilation: int) -> Iterator[tuple[Volumes, Volumes]]:
    """The image as the two neighbours of each pair see it: views."""

    def shifted(offset: Offset) -> Volumes:
        view = image
        for axis, step in enumerate(offset, start=2):
            view = view.narrow(axis, (1 + step) * dilation, image.shape[axis] - 2 * dilation)
        return view

    # One slice is continued too, with copies of itself: these neighbours are none.
    flat = [axis for axis in range(3) if image.shape[2 + axis] == 1 + 2 * dilation]
    for one, other in PAIRS:
        if not any(one[axis] or other[axis] for axis in flat):
            yield shifted(one), shifted(other)


def _continue(images: Volumes, by: int) -> Continued:
    for axis in (2, 3, 4):
        first, last = images.narrow(axis, 0, 1), images.narrow(axis, -1, 1)
        images = torch.cat([first] * by + [images] + [last] * by, dim=axis)
    return images
