"""Local normalised cross-correlation with a box window, VoxelMorph's definition among others."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from l2r.arrays import plane_axes
from l2r.schema import Frozen, Window
from models.losses.windows import box_sum
from models.types import Scalar, Volumes

EPSILON = 1e-5
"""Keeps the published definitions away from a division by 0."""


class Lncc(Frozen):
    """`-mean(cov(f, w)^2 / (var(f) var(w) + 1e-5))` over windows of `window` voxels a side.

    Sums, not means, over the window, a square in one slice; the window reaches beyond the border
    into zeros and is still counted full there. Between -1 (locally the same up to brightness and
    contrast) and 0.

    With `noise`, `e = noise^2` times the number of voxels in a window is added to both variances
    instead of the 1e-5 to their product: texture of a lower standard deviation counts for little.

    Not squared, `-mean(cov(f, w) / sqrt(max(var(f), 0) max(var(w), 0) + 1e-5))`: between -1 and 1,
    and an inverted contrast is the worst instead of the best.

    Source:
        Balakrishnan et al. (2019), VoxelMorph, doi:10.1109/TMI.2019.2897538, equation 5; Avants
        et al. (2008), doi:10.1016/j.media.2007.06.004, for its use in registration.
    """

    name: Literal["lncc"] = "lncc"
    window: Window = 9
    squared: bool = True
    """Whether the correlation is squared."""
    noise: NonNegativeFloat = 0.0
    """Standard deviation of intensities that is taken for noise."""
    masked: bool = False
    """Whether windows around background, where the fixed image is zero, count as not correlated."""

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The term for one fixed image, whose own sums are made only once."""
        count = self.window ** len(plane_axes(fixed.shape[2:]))
        definition = Definition(
            total=partial(box_sum, radius=self.window // 2),
            count=count,
            squared=self.squared,
            each=count * self.noise**2,
            product=0.0 if self.noise else EPSILON,
            # the published square is not; the root must be, and a floor is one for what is positive
            clamped=not self.squared or self.noise > 0,
        )
        return LocalCorrelation(fixed, definition, (fixed != 0).to(fixed) if self.masked else None)


@dataclass(frozen=True)
class Definition:
    """Definition of a local correlation; `D = (var(f) + e) (var(w) + e) + d`."""

    total: Callable[[Tensor], Tensor]
    """Weighted sum over the window, for each volume of a stack; its own adjoint."""
    count: int
    """The sum of the weights."""
    squared: bool
    """`cov^2 / D`, or else `cov / sqrt(D)`."""
    each: float = 0.0
    """e."""
    product: float = 0.0
    """d."""
    clamped: bool = True
    """Variances below 0, which rounding makes, are taken for 0."""


class LocalCorrelation:
    """The negative mean of the local correlation with one fixed image."""

    def __init__(self, fixed: Volumes, definition: Definition, mask: Volumes | None = None) -> None:
        """`mask`: ones where a window counts, zeros elsewhere; None for ones everywhere."""
        total, squares = definition.total(torch.stack([fixed, fixed * fixed]))
        variance = squares.addcmul_(total, total, value=-1 / definition.count)
        if definition.clamped:
            variance.relu_()
        variance.add_(definition.each)
        self._fixed, self._definition = _Fixed(fixed, total, variance, mask), definition

    def __call__(self, warped: Volumes) -> Scalar:
        loss: Scalar = _Correlation.apply(  # type: ignore[no-untyped-call]
            warped, self._fixed, self._definition
        )
        return loss


class _Fixed(NamedTuple):
    """The fixed image and its sums over windows."""

    image: Volumes
    sum: Volumes
    variance: Volumes
    """Summed, with its floor."""
    mask: Volumes | None


class _Correlation(torch.autograd.Function):
    """The mean and its gradient by hand: three window sums forth, three back, nothing else kept.

    With the sums S over a window of n voxels, c = S_fw - S_f S_w / n, v = S_ww - S_w^2 / n and
    D = a (v + e) + d, where a = v_f + e, the term is -mean(R) over N voxels.

        squared       R = c^2 / D      A = -2 c / (N D)      B = a c^2 / (N D^2)
        not squared   R = c / sqrt(D)  A = -1 / (N sqrt(D))  B = a c / (2 N D sqrt(D))

    A and B are the derivatives of the term by c and by v; a window sum is its own adjoint, hence
    d/dw = f sum(A) + 2 w sum(B) - sum(A S_f + 2 B S_w) / n.
    """

    @staticmethod
    def forward(ctx: Any, warped: Volumes, of_fixed: _Fixed, definition: Definition) -> Scalar:
        fixed, fixed_sum, fixed_variance, mask = of_fixed
        sums = definition.total(torch.stack([warped, warped * warped, fixed * warped]))
        warped_sum, variance, covariance = sums
        variance.addcmul_(warped_sum, warped_sum, value=-1 / definition.count)
        covariance.addcmul_(fixed_sum, warped_sum, value=-1 / definition.count)
        if definition.clamped:
            variance.relu_()
        denominator = variance.add_(definition.each) * fixed_variance
        denominator.add_(definition.product)
        ratio = covariance / denominator if definition.squared else denominator.rsqrt_()
        if mask is not None:
            ratio.mul_(mask)  # R, A and B are powers of it times something, so all are masked
        correlation = ratio * covariance
        loss = -correlation.mean()
        if ctx.needs_input_grad[0]:
            count = ratio.numel()
            by_covariance = ratio * (-(1 + definition.squared) / count)
            by_variance = ratio.square_().mul_(fixed_variance).div_(count)
            if not definition.squared:
                by_variance.mul_(correlation).div_(2)
            if definition.clamped:
                by_variance.masked_fill_(variance == definition.each, 0)
            by_sum = (by_covariance * fixed_sum).addcmul_(by_variance, warped_sum, value=2)
            ctx.save_for_backward(torch.stack([by_covariance, by_variance, by_sum]), warped, fixed)
            ctx.definition = definition
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Scalar) -> tuple[Tensor, None, None]:
        derivatives, warped, fixed = ctx.saved_tensors
        by_covariance, by_variance, by_sum = ctx.definition.total(derivatives)
        result = by_covariance.mul_(fixed).addcmul_(by_variance, warped, value=2)
        result.add_(by_sum, alpha=-1 / ctx.definition.count)
        return result.mul_(gradient), None, None
