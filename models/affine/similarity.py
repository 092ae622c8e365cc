"""Similarities of a fixed image and of many candidates for the warped one, 1 at best.

Values are in [0, 1]. Weights are 0 where the moving image does not reach; None where it is known
everywhere.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from models.losses.windows import box_sum

Fixed = Float[Tensor, "1 1 x y z"]
Candidates = Float[Tensor, "start 1 x y z"]
Scores = Float[Tensor, " start"]
Compare: TypeAlias = Callable[[Candidates, Candidates | None], Scores]
SimilarityMeasure: TypeAlias = Callable[[Fixed], Compare]

DARK = 0.1
"""Brightness below which a voxel is background."""
_DEPTH = 2
"""Voxels between deep ones and the background."""
_AXES = (1, 2, 3, 4)
_TINY = 1e-6
_FLAT = 1e-4
"""Variance below which a window shows nothing."""


def tissue_correlation(fixed: Fixed) -> Compare:
    """Pearson's correlation of weighted voxels that lie deep in the foreground of both images.

    Near its border every contrast of an organ looks alike.
    """

    def compare(warped: Candidates, weights: Candidates | None) -> Scores:
        known = _deep(fixed) * _deep(warped)
        known = known if weights is None else known * weights
        total = known.sum(_AXES, keepdim=True).clamp(min=_TINY)
        one = fixed - (known * fixed).sum(_AXES, keepdim=True) / total
        other = warped - (known * warped).sum(_AXES, keepdim=True) / total
        both = (known * one * other).sum(_AXES)
        alone = (known * one.square()).sum(_AXES) * (known * other.square()).sum(_AXES)
        return both / (alone + _TINY).sqrt()

    return compare


def _deep(image: Candidates) -> Candidates:
    """One where all voxels around are foreground."""
    background = (image <= DARK).float()
    return 1 - functional.max_pool3d(background, 2 * _DEPTH + 1, 1, _DEPTH)


def local_correlation(radius: int) -> SimilarityMeasure:
    """Mean of the correlation in cubes of `2 radius + 1` voxels that show something.

    It does not see slow changes of brightness, as of a bias field.
    """

    def bind(fixed: Fixed) -> Compare:
        whole = _FixedWindows(fixed, None, radius)

        def compare(warped: Candidates, weights: Candidates | None) -> Scores:
            windows = whole if weights is None else _FixedWindows(fixed, weights, radius)
            return windows.correlation(warped)

        return compare

    return bind


class _FixedWindows:
    """Means and variances of the fixed image in cubes."""

    def __init__(self, fixed: Fixed, weights: Candidates | None, radius: int) -> None:
        self._radius = radius
        self._weights = torch.ones_like(fixed) if weights is None else weights
        self._total = box_sum(self._weights, radius).clamp(min=_TINY)
        self._seen = self._weights * fixed
        self._mean = self._means(self._seen)
        self._variance = self._means(self._seen * fixed) - self._mean.square()
        self._shown = self._weights * (self._variance > _FLAT)

    def correlation(self, warped: Candidates) -> Scores:
        known = warped * self._weights
        mean = self._means(known)
        variance = (self._means(known * warped) - mean.square()).clamp(min=0)
        both = self._means(self._seen * warped) - self._mean * mean
        found = both / (self._variance.clamp(min=0) * variance + _FLAT**2).sqrt()
        return (self._shown * found).sum(_AXES) / self._shown.sum(_AXES).clamp(min=_TINY)

    def _means(self, values: Candidates) -> Candidates:
        return box_sum(values, self._radius) / self._total


def information(bins: int, most_voxels: int) -> SimilarityMeasure:
    """Mutual information as a correlation: `sqrt(1 - exp(-2 MI))`, of any contrasts.

    Args:
        bins: of each image.
        most_voxels: of the fixed image that are looked at, evenly spread.
    """

    def bind(fixed: Fixed) -> Compare:
        values = fixed.flatten()
        stride = max(1, values.numel() // most_voxels)
        values = values[None, ::stride]

        def compare(warped: Candidates, weights: Candidates | None) -> Scores:
            others = warped.flatten(1)[:, ::stride]
            known = torch.ones_like(others) if weights is None else weights.flatten(1)[:, ::stride]
            shared = _mutual_information(values.expand(len(others), -1), others, known, bins)
            return (1 - (-2 * shared.clamp(min=_TINY)).exp()).sqrt()

        return compare

    return bind


ValuePairs = Float[Tensor, "start voxel"]
Histograms = Float[Tensor, "start bin bin"]


def _mutual_information(
    ones: ValuePairs, others: ValuePairs, weights: ValuePairs, bins: int
) -> Scores:
    """Mutual information of weighted pairs of values in [0, 1], in nats.

    A pair counts in the four bins around it, and the histogram is smoothed. So its derivative by
    a pair is that of a bilinear interpolation in the table of the derivatives by the bins, and the
    histogram needs no gradient of its own.
    """
    with torch.no_grad():
        counts = _histogram(ones, others, weights, bins)
        total = counts.sum(dim=(1, 2), keepdim=True).clamp(min=_TINY)
        joint = _smoothed(counts / total)
        apart = joint.sum(dim=2, keepdim=True) * joint.sum(dim=1, keepdim=True)
        ratio = ((joint + 1e-8) / (apart + 1e-8)).log()
        shared = (joint * ratio).sum(dim=(1, 2))
        table = _smoothed(ratio - shared[:, None, None]) / total
    places = torch.stack([others, ones], dim=-1)[:, None] * 2 - 1
    looked_up = functional.grid_sample(
        table[:, None], places, "bilinear", "border", align_corners=True
    )
    linear = (weights * looked_up[:, 0, 0]).sum(dim=1)
    return shared + linear - linear.detach()


def _histogram(ones: ValuePairs, others: ValuePairs, weights: ValuePairs, bins: int) -> Histograms:
    rows, row_parts = _place(ones, bins)
    columns, column_parts = _place(others, bins)
    first = torch.arange(len(ones))[:, None] * bins**2
    counts = torch.zeros(len(ones) * bins**2)
    for down, row_part in enumerate((1 - row_parts, row_parts)):
        for right, column_part in enumerate((1 - column_parts, column_parts)):
            index = first + (rows + down) * bins + columns + right
            counts.index_add_(0, index.flatten(), (weights * row_part * column_part).flatten())
    return counts.view(-1, bins, bins)


def _place(values: ValuePairs, bins: int) -> tuple[Int64[Tensor, "start voxel"], ValuePairs]:
    """The bin below each value, and how far it is on its way to the next."""
    place = values.clamp(0, 1) * (bins - 1)
    below = place.floor().clamp(max=bins - 2)
    return below.long(), place - below


def _smoothed(tables: Histograms) -> Histograms:
    """Means over neighbouring bins, weighted 1 : 2 : 1; its own adjoint."""
    size = tables.shape[-1]
    band = torch.eye(size) / 2
    band += (torch.eye(size + 1)[:-1, 1:] + torch.eye(size + 1)[1:, :-1]) / 4
    band[0, 0] = band[-1, -1] = 0.75  # what would fall off the ends stays
    return band @ tables @ band
