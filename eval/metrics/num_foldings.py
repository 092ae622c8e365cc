"""Number of folded voxels as the scorers count it: always 0."""

from typing import ClassVar, Literal

import numpy as np

from eval.metrics.base import Case, MetricBase, Result
from l2r.arrays import inner


class NumFoldings(MetricBase):
    """The scorers' number of folded voxels: 0, whatever the field.

    They count determinants of 0 or less after these have been clipped to at least 1e-9. It stands
    beside SDlogJ in their `metrics.json`. The note gives the number that was meant: of voxels with
    a determinant of 0 or less by central differences, two voxels at each border left out.

    Source:
        `evaluate_L2R`, github.com/MDL-UzL/L2R, and the LUMIR scorer after it.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["num_foldings"] = "num_foldings"
    unit: Literal["voxels"] = "voxels"
    folder: Literal["images"] = "images"

    def __call__(self, case: Case) -> Result:
        folded = case.determinants[inner(case.shape)] <= 0
        count, total = np.count_nonzero(folded), folded.size
        note = f"{count} of {total} voxels fold; the scorer always finds 0" if count else ""
        return Result(0.0, detailed=0.0, unregistered=0.0, note=note)
