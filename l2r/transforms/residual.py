"""The distance by which a transform and its inverse miss the start."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from l2r.transforms.base import SpatialTransform
from l2r.transforms.grids import Grid, slab_of
from l2r.transforms.slabs import over_slabs

FAILED_VOX = 0.5
"""Distance from which on a place counts as one that the inverse does not bring to its start."""


@dataclass(frozen=True)
class Residual:
    """Distances in voxels between where a voxel starts and where both transforms bring it."""

    mean: float
    p99: float
    most: float
    worst: tuple[int, int, int]
    """The voxel that misses its start by most."""
    failed: float
    """Percentage of the voxels that miss their start by half a voxel or more."""
    gone: float
    """Percentage of the voxels that were left out, because they lead out of the other grid."""

    @classmethod
    def of(
        cls,
        distances: Float32[np.ndarray, "x y z"],
        within: Bool[np.ndarray, "x y z"] | None = None,
    ) -> "Residual":
        """Sum up the distances of all voxels.

        Args:
            distances: as `round_trip` gives them.
            within: the voxels that count; all if left out.
        """
        flat = distances.T.ravel()  # first axis fastest, as `round_trip` and NIfTI have it
        counted = flat.size if within is None else np.count_nonzero(within)
        if within is not None:
            flat = np.where(within.T.ravel(), flat, np.nan)
        found = flat[~np.isnan(flat)]
        gone = 100 * (1 - found.size / max(counted, 1))
        if not found.size:
            return cls(np.nan, np.nan, np.nan, (0, 0, 0), 0.0, gone)
        most = found.max()
        z, y, x = np.unravel_index((flat == most).argmax(), distances.T.shape)
        return cls(
            mean=float(found.mean(dtype=np.float64)),
            p99=float(np.quantile(found, 0.99)),
            most=float(most),
            worst=(int(x), int(y), int(z)),
            failed=float(100 * (found >= FAILED_VOX).mean()),
            gone=gone,
        )

    def __str__(self) -> str:
        """Sum it up in one line."""
        return (
            f"residual mean {self.mean:.3g}, p99 {self.p99:.3g}, max {self.most:.3g} voxels at "
            f"{self.worst}; {self.failed:.3g} % of the voxels are off by {FAILED_VOX:g} or more, "
            f"{self.gone:.3g} % lead out of the grid"
        )


def round_trip(
    first: SpatialTransform, second: SpatialTransform, grid: Grid, other: Grid
) -> tuple[Residual, np.ndarray]:
    """Go from every voxel by the first transform and by the second again.

    Args:
        first: from the places of `grid` to those of `other`.
        second: its inverse.
        grid: the voxels that start, and the unit of the distances.
        other: places beyond it are left out, no field knows them.

    Returns:
        The residual in numbers, and voxel by voxel, NaN where it was left out.
    """
    distances = np.full(grid.shape, np.nan, np.float32, order="F")

    def work(planes: slice) -> None:
        here = slab_of(grid, planes)
        moved = first.move(here)
        inside = other.holds(moved.on(other).coordinates)
        off = second.move(moved).on(grid).coordinates - here.coordinates
        distances.T[planes] = np.where(inside, np.sqrt((off * off).sum(axis=0)), np.nan)

    over_slabs(grid.shape, work)
    return Residual.of(distances), distances
