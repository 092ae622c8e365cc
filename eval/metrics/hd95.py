"""Robust Hausdorff distance, by default of 95 % of the surface (HD95)."""

from functools import partial
from typing import Literal

from pydantic import Field

from eval.metrics.base import Case, Result
from eval.metrics.distances import robust_hausdorff
from eval.metrics.structural import DistanceMetric


class Hd95(DistanceMetric):
    """Mean robust Hausdorff distance of the protocol's structures.

    A structure that is absent from the fixed or from the unwarped moving map is left out. One that
    vanishes in warping is infinitely far away and makes the mean infinite; the note gives the mean
    of the others.

    Source:
        `compute_hd95` of the LUMIR scorer, github.com/JHU-MedImage-Reg/LUMIR_L2R; in mm and
        without what is infinite, `scoring.py` of github.com/JHU-MedImage-Reg/Learn2Reg26_PSMA.
    """

    metric: Literal["hd95"] = "hd95"
    percent: float = Field(default=95.0, ge=0, le=100)

    def __call__(self, case: Case) -> Result:
        return self.result(case, partial(robust_hausdorff, percent=self.percent))
