"""Average symmetric surface distance."""

from typing import Literal

from eval.metrics.base import Case, Result
from eval.metrics.distances import mean_distance
from eval.metrics.structural import DistanceMetric


class MeanSurfaceDistance(DistanceMetric):
    """Average symmetric surface distance, mean over the protocol's structures.

    Per structure, the mean of the two directed mean distances, both weighted by area. Absent
    and vanished structures are treated as by `Hd95`.

    Source:
        Nikolov et al. (2021), doi:10.2196/26151; github.com/google-deepmind/surface-distance.
    """

    metric: Literal["assd"] = "assd"

    def __call__(self, case: Case) -> Result:
        return self.result(case, mean_distance)
