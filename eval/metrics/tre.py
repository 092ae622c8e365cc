"""Target registration error (TRE) of landmarks, given as blobs in label maps."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from eval.metrics.base import Case, MetricBase, Result
from eval.metrics.surface import VOXELS
from eval.structures import IndexMap, sizes
from l2r.arrays import Spacing


def centroids(blobs: IndexMap, count: int) -> Float[np.ndarray, "landmarks 3"]:
    """Centre of each blob, in voxels; NaN where it has no voxel.

    Args:
        blobs: one landmark per index, counted from 1.
        count: how many landmarks there are.

    Example:
        >>> blobs = np.zeros((4, 1, 1), np.uint8); blobs[1:3] = 1
        >>> centroids(blobs, 2)
        array([[1.5, 0. , 0. ],
               [nan, nan, nan]])
    """
    points = np.argwhere(blobs.T)[:, ::-1]  # NIfTI has x fastest: see eval.warp
    which = blobs[tuple(points.T)]
    sums = [np.bincount(which, axis, minlength=count + 1)[1:] for axis in points.T]
    with np.errstate(invalid="ignore"):
        return np.stack(sums, axis=-1) / sizes(which, count)[:, None]


def landmark_errors(
    fixed: IndexMap, warped: IndexMap, count: int, spacing: Spacing = VOXELS
) -> Float[np.ndarray, " landmarks"]:
    """Distance of each landmark's centroids, lower is better; NaN where it vanished."""
    steps = (centroids(warped, count) - centroids(fixed, count)) * spacing
    return np.sqrt((steps * steps).sum(axis=-1))


class Tre(MetricBase):
    """Mean distance of landmarks, each of which is a blob in a label map.

    All landmarks of the fixed map count. If one is absent from the warped map, because it vanished
    in warping or because the moving map lacks it, the mean is NaN, as in the organisers' scorer;
    the note gives the mean of the others. `detailed` is the mean again, also as in theirs.

    Source:
        `calc_TRE` of the LUMIR scorer, github.com/JHU-MedImage-Reg/LUMIR_L2R.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["tre"] = "tre"
    unit: Literal["voxels", "mm"] = "voxels"
    """`mm`: by the spacing of the fixed image."""
    folder: str = "landmarks"

    def __call__(self, case: Case) -> Result:
        blobs = case.structures(self.folder, None)
        spacing = VOXELS if self.unit == "voxels" else case.spacing_mm("fixed")
        errors, before = (
            landmark_errors(blobs.fixed, moving, len(blobs.labels), spacing)
            for moving in (blobs.warped, blobs.unregistered)
        )
        mean = _mean(errors)
        return Result(mean, detailed=mean, unregistered=_mean(before), note=_vanished(errors))


def _mean(errors: Float[np.ndarray, " landmarks"]) -> float:
    return float(errors.mean()) if errors.size else float("nan")


def _vanished(errors: Float[np.ndarray, " landmarks"]) -> str:
    found = errors[~np.isnan(errors)]
    if found.size == errors.size:
        return ""
    gone = errors.size - found.size
    return f"{gone} of {errors.size} landmarks vanished, mean of the others {_mean(found):.4f}"
