"""Local normalised cross-correlation, squared, with a box window: VoxelMorph's definition."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import AfterValidator, PositiveInt
from torch import Tensor

from l2r.schema import Frozen
from models.base import Volumes
from models.losses.box import box_sum

Scalar = Float[Tensor, ""]
EPSILON = 1e-5
"""Added to the product of the variances, as the published code does."""


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("a window has a centre, so its width must be odd")
    return value


class LnccConfig(Frozen):
    """`-mean(cov(f, w)^2 / (var(f) var(w) + 1e-5))` over windows of `window` voxels a side.

    Sums, not means, over the window; the window reaches beyond the border into zeros and is still
    counted full there. Between -1 (locally the same up to brightness and contrast) and 0.

    Source:
        Balakrishnan et al. (2019), VoxelMorph, doi:10.1109/TMI.2019.2897538, equation 5; Avants
        et al. (2008), doi:10.1016/j.media.2007.06.004, for its use in registration.
    """

    name: Literal["lncc"] = "lncc"
    window: Annotated[PositiveInt, AfterValidator(_odd)] = 9
    """Width in voxels of the grid that the images are compared on."""

    def bind(self, fixed: Volumes) -> Callable[[Volumes], Scalar]:
        """The term for one fixed image, whose own sums are made only once."""
        return _Lncc(fixed, self.window // 2)


class _Lncc:
    def __init__(self, fixed: Volumes, radius: int) -> None:
        self._fixed, self._radius = fixed, radius
        self._sum, squares = box_sum(torch.stack([fixed, fixed * fixed]), radius)
        self._variance = squares.addcmul_(self._sum, self._sum, value=-1 / self._count)

    @property
    def _count(self) -> int:
        return (2 * self._radius + 1) ** 3

    def __call__(self, warped: Volumes) -> Scalar:
        given = (self._fixed, self._sum, self._variance, self._radius)
        loss: Scalar = _Correlation.apply(warped, *given)  # type: ignore[no-untyped-call]
        return loss


class _Correlation(torch.autograd.Function):
    """The mean and its gradient by hand: three box sums forth, three back, nothing else kept.

    With the sums S over a window of n voxels, c = S_fw - S_f S_w / n and v = S_ww - S_w^2 / n, the
    term is -mean(c^2 / D), D = v_f v + e. Its derivatives by c and by v are A = -2 c / (N D) and
    B = c^2 v_f / (N D^2); a box sum is its own adjoint, hence
    d/dw = f box(A) + 2 w box(B) - box(A S_f + 2 B S_w) / n.
    """

    @staticmethod
    def forward(
        ctx: Any,
        warped: Volumes,
        fixed: Volumes,
        fixed_sum: Volumes,
        fixed_variance: Volumes,
        radius: int,
    ) -> Scalar:
        count = (2 * radius + 1) ** 3
        sums = box_sum(torch.stack([warped, warped * warped, fixed * warped]), radius)
        warped_sum, variance, covariance = sums
        variance.addcmul_(warped_sum, warped_sum, value=-1 / count)
        covariance.addcmul_(fixed_sum, warped_sum, value=-1 / count)
        ratio = covariance / (variance * fixed_variance + EPSILON)
        loss = -(ratio * covariance).mean()
        if ctx.needs_input_grad[0]:
            by_covariance = ratio * (-2 / ratio.numel())
            by_variance = ratio.square_().mul_(fixed_variance).div_(ratio.numel())
            by_sum = (by_covariance * fixed_sum).addcmul_(by_variance, warped_sum, value=2)
            ctx.save_for_backward(torch.stack([by_covariance, by_variance, by_sum]), warped, fixed)
            ctx.radius = radius
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Scalar) -> tuple[Tensor, None, None, None, None]:
        derivatives, warped, fixed = ctx.saved_tensors
        by_covariance, by_variance, by_sum = box_sum(derivatives, ctx.radius)
        result = by_covariance.mul_(fixed).addcmul_(by_variance, warped, value=2)
        result.add_(by_sum, alpha=-1 / (2 * ctx.radius + 1) ** 3)
        return result.mul_(gradient), None, None, None, None
