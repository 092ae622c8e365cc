"""Share of voxels with a Jacobian determinant of 0 or less."""

from typing import ClassVar, Literal

import numpy as np

from eval.metrics.base import Case, MetricBase, Result, Role
from eval.truth import IMAGES
from l2r.arrays import inner


class NonPositive(MetricBase):
    """Percentage of voxels whose Jacobian determinant, by central differences, is 0 or less.

    All voxels but the outermost of the grid count, or those of a foreground. NaN if there are
    none. It misses folds that central differences step over; `Ndv` does not.

    Source:
        Balakrishnan et al. (2019), VoxelMorph, doi:10.1109/TMI.2019.2897538, counts them.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["nonpositive"] = "nonpositive"
    unit: Literal["%"] = "%"
    folder: str = IMAGES
    """`images`, or a folder of masks; that `mask` chooses from."""
    mask: Role | None = None
    """Image whose positive voxels count; all voxels of the grid where it is not given."""

    def __call__(self, case: Case) -> Result:
        folded = case.determinants <= 0
        if self.mask is not None:
            folded = folded[case.foreground(self.mask, self.folder)[inner(case.shape)]]
        if not folded.size:
            return Result(float("nan"), detailed=float("nan"), unregistered=float("nan"))
        percent = 100 * np.count_nonzero(folded) / folded.size
        return Result(percent, detailed=percent, unregistered=0.0)
