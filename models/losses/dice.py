"""Soft Dice loss: structures of one label must come to lie on each other."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from l2r.schema import Frozen
from models.types import Scalar, Stacks

LabelVolumes = Integer[Tensor, "1 1 _ _ _"]
PerChannel = Float[Tensor, "rows"]
EPSILON = 1e-5
"""Added to the sum of squares, as the published code does."""


class SoftDice(Frozen):
    """`1 - mean of 2 sum(w f) / (sum w^2 + sum f^2 + 1e-5)` over batch and channels.

    Sums run over the voxels, one channel per structure. Between 0 (the structures coincide) and 1
    (they nowhere overlap); a structure that is nowhere in either counts as not overlapping.

    Source:
        Milletari et al. (2016), V-Net, arXiv:1606.04797, for the squares in the denominator.
    """

    name: Literal["dice"] = "dice"

    def bind(self, fixed: Stacks, weights: PerChannel | None = None) -> Callable[[Stacks], Scalar]:
        """The term for one fixed stack of structures, warped ones come with linear weights.

        Args:
            fixed: one channel per structure.
            weights: of each channel in the mean; all alike if left out.
        """
        squares = _products(fixed, fixed)
        weights = torch.ones_like(squares) if weights is None else weights

        def term(warped: Stacks) -> Scalar:
            loss: Scalar = _Dice.apply(warped, fixed, squares, weights)  # type: ignore[no-untyped-call]
            return loss

        return term


class _Dice(torch.autograd.Function):
    """The mean and its gradient by hand: a stack has as many channels as there are structures.

    Of a row with P = sum(w f) and D = sum w^2 + sum f^2 + e, the derivative of -2 P / D by w is
    -2 f / D + 4 P w / D^2. Nothing of a stack's size is made but that.
    """

    @staticmethod
    def forward(
        ctx: Any, warped: Stacks, fixed: Stacks, squares: PerChannel, weights: PerChannel
    ) -> Scalar:
        overlap, total = _products(warped, fixed), _products(warped, warped) + squares + EPSILON
        ctx.save_for_backward(warped, fixed, overlap, total, weights)
        return 1 - (weights * (2 * overlap / total)).sum() / weights.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Scalar) -> tuple[Stacks, None, None, None]:
        warped, fixed, overlap, total, weights = ctx.saved_tensors
        scale = gradient * weights / weights.sum()
        of_warped, of_fixed = 4 * scale * overlap / total.square(), -2 * scale / total
        result = warped * of_warped.view(*warped.shape[:2], 1, 1, 1)
        return result.addcmul_(fixed, of_fixed.view(*warped.shape[:2], 1, 1, 1)), None, None, None


def _products(one: Stacks, other: Stacks) -> PerChannel:
    """Inner product of every channel of every member with its like."""
    rows = zip(one.flatten(0, 1), other.flatten(0, 1), strict=True)
    return torch.stack([(x * y).sum() for x, y in rows])


def one_hot(
    fixed: LabelVolumes, moving: LabelVolumes, dtype: torch.dtype = torch.float32
) -> tuple[Stacks, Stacks]:
    """One channel of ones and zeros per label that both maps have, in ascending order.

    Raises:
        ValueError: no label is in both.
    """
    wanted = shared(fixed, moving)
    return channels(fixed, wanted, dtype), channels(moving, wanted, dtype)


def shared(fixed: LabelVolumes, moving: LabelVolumes) -> list[int]:
    """The labels that both maps have, in ascending order; 0 is the background and no structure.

    Raises:
        ValueError: no label is in both.
    """
    labels = sorted(_values(fixed) & _values(moving) - {0})
    if not labels:
        raise ValueError("no structure is labelled in both images")
    return labels


def _values(labels: LabelVolumes) -> set[int]:
    return set(labels.unique().tolist())  # type: ignore[no-untyped-call]


def channels(
    labels: LabelVolumes, wanted: Sequence[int], dtype: torch.dtype = torch.float32
) -> Stacks:
    """One channel of ones and zeros per wanted label, in their order."""
    stack = labels.new_empty(1, len(wanted), *labels.shape[2:], dtype=dtype)
    for channel, label in enumerate(wanted):  # comparing all at once would take as much again
        torch.eq(labels[:, 0], label, out=stack[:, channel])
    return stack
