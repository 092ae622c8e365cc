"""Intensities of structures, by FreeSurfer's labels."""

import torch
from jaxtyping import Float
from torch import Tensor

from models.training.synthesis.config import Appearance

Table = Float[Tensor, "label"]

OUTER_FLUID = 24
"""Fluid around the brain; how much of it a skull-stripped image keeps differs."""
_RIGHT_TO_LEFT = {
    41: 2, 42: 3, 43: 4, 44: 5, 46: 7, 47: 8, 49: 10, 50: 11, 51: 12, 52: 13, 53: 17, 54: 18,
    57: 25, 58: 26, 60: 28, 62: 30, 163: 136, 164: 137,
}  # fmt: skip
_WHITE, _GREY, _FLUID = 1.0, 0.68, 0.28
_T1 = {
    2: _WHITE, 3: _GREY, 4: _FLUID, 5: _FLUID, 7: 0.9, 8: 0.64, 10: 0.89, 11: 0.77, 12: 0.86,
    13: 1.02, 14: 0.4, 15: 0.3, 16: 0.88, 17: 0.7, 18: 0.7, OUTER_FLUID: 0.3, 25: 0.75, 26: 0.74,
    28: 0.94, 72: _FLUID, 85: 0.75, 136: 0.6,
}  # fmt: skip
"""Means of T1-weighted images as parts of that of white matter; any other structure is grey."""
_DARKEST = 0.1
"""Of a structure with random intensity, as part of the brightest one."""


def random_tables(
    size: int, appearance: Appearance, random: torch.Generator
) -> tuple[Table, Table]:
    """Mean and standard deviation of each label below `size`; left and right are alike.

    Args:
        size: how many labels; the first is the background, which is zero.
        appearance: how they are drawn.
        random: a stream on the CPU.
    """
    low, high = appearance.brightest
    level = low + (high - low) * torch.rand((), generator=random)
    like_t1 = bool(torch.rand((), generator=random) < appearance.t1)
    spread = torch.rand(size, generator=random)
    means = _t1_like(size, appearance.jitter * (2 * spread - 1)) if like_t1 else _any(spread)
    deviations = appearance.texture * torch.rand(size, generator=random)
    return _both_sides(level * means), _both_sides(level * deviations)


def _t1_like(size: int, jitter: Table) -> Table:
    usual = torch.full((size,), _GREY)
    for label, mean in _T1.items():
        if label < size:
            usual[label] = mean
    return usual + jitter


def _any(spread: Table) -> Table:
    means = _DARKEST + (1 - _DARKEST) * spread
    return means / means[1:].max()


def _both_sides(table: Table) -> Table:
    result = table.clone()
    for right, left in _RIGHT_TO_LEFT.items():
        if right < len(table):
            result[right] = table[left]
    result[0] = 0
    return result
