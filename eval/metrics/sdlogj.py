"""Standard deviation of the logarithm of the Jacobian determinant (SDlogJ)."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float, Float64

from eval.metrics.base import Case, MetricBase, Result
from l2r.arrays import inner
from l2r.formats.volumes import read_labels

_ADDED = 3.0
"""The scorer adds it to the determinant before the logarithm."""
_LEAST, _MOST = 1e-9, 1e9
"""Limits that determinants are clipped to."""


def sd_log_jacobian(determinants: Float[np.ndarray, "*_"], added: float = 0.0) -> float:
    """Population standard deviation of `log(clip(J + added, 1e-9, 1e9))`; NaN without voxels.

    Example:
        >>> sd_log_jacobian(np.exp([-1.0, 1.0]))
        1.0
    """
    if not determinants.size:
        return float("nan")
    return float(np.log((determinants + added).clip(_LEAST, _MOST)).std())


class SdLogJ(MetricBase):
    """Standard deviation of the logarithm of the Jacobian determinant, as the scorers compute it.

    The scorers add 3 to the determinant before they clip it to 1e-9 and take the logarithm. So
    folds are hardly punished (a determinant of -1 counts as 2), and the value is about a fourth of
    what its name says. They also leave out two voxels at each border where one would do. The note
    gives the value without the 3, in which a fold counts as 1e-9.

    Source:
        `evaluate_L2R` and `jacobian_determinant`, github.com/MDL-UzL/L2R, and the LUMIR scorer
        after it. For the measure: Leow et al. (2007), doi:10.1109/TMI.2007.892646.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["sdlogj"] = "sdlogj"
    unit: Literal[""] = ""
    folder: Literal["images"] = "images"
    masks: str | None = None
    """Folder of masks of the fixed images, whose voxels of label 1 count. All voxels count for a
    pair without a mask, as for the official scorer, and where no folder is given."""

    def __call__(self, case: Case) -> Result:
        counted, unmasked = self._counted(case)
        official, right = sd_log_jacobian(counted, _ADDED), sd_log_jacobian(counted)
        note = f"{right:.4f} without the 3 that the scorer adds to the determinant"
        return Result(official, detailed=official, unregistered=0.0, note=note + unmasked)

    def _counted(self, case: Case) -> tuple[Float64[np.ndarray, "..."], str]:
        determinants = case.determinants[inner(case.shape)]
        if self.masks is None:
            return determinants, ""
        path = case.path("fixed", self.masks)
        if not path.is_file():
            return determinants, f"; no mask {path.name}, so all voxels count"
        mask: Bool[np.ndarray, "x y z"] = case.on_the_grid(read_labels(path), self.masks) == 1
        return determinants[mask[inner(case.shape, by=2)]], ""
