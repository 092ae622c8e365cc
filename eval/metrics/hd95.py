"""Distance of surfaces."""

from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from eval.metrics.base import Case, MetricBase, Result, mean_of_defined
from eval.metrics.surface import robust_hausdorff
from eval.structures import Slices, Structures, bounding_boxes


def surface_distances(structures: Structures, percent: float) -> Float[np.ndarray, " ids"]:
    """Robust Hausdorff distance of each structure, see `robust_hausdorff`.

    Returns:
        Voxels, lower is better; NaN where a structure is absent from the fixed or the moving map,
        infinite where it vanished in warping.
    """
    count = len(structures.ids)
    fixed, warped = (bounding_boxes(part, count) for part in (structures.fixed, structures.warped))
    distances = np.full(count, np.nan)
    for place in np.flatnonzero(structures.defined):
        index = int(place) + 1
        if index not in warped:
            distances[place] = np.inf
            continue
        box = _around(fixed[index], warped[index])
        distances[place] = robust_hausdorff(
            structures.fixed[box] == index, structures.warped[box] == index, percent
        )
    return distances


def _around(a: Slices, b: Slices) -> tuple[slice, ...]:
    return tuple(
        slice(min(one.start, other.start), max(one.stop, other.stop))
        for one, other in zip(a, b, strict=True)
    )


class Hd95(MetricBase):
    """Mean robust Hausdorff distance of the protocol's structures.

    A structure that is absent from the fixed or from the unwarped moving map is left out. One that
    vanishes in warping is infinitely far away and makes the mean infinite; the note gives the mean
    of the others.

    Source:
        `compute_hd95` of the LUMIR scorer, github.com/JHU-MedImage-Reg/LUMIR_L2R.
    """

    unit: ClassVar[str] = "voxels"
    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["hd95"] = "hd95"
    folder: str = "labels"
    percent: float = Field(default=95.0, ge=0, le=100)

    def __call__(self, case: Case) -> Result:
        structures = case.structures(self.folder, case.labels)
        distances = surface_distances(structures, self.percent)
        return Result(
            mean=mean_of_defined(distances),
            detailed=tuple(distances.tolist()),
            note=_vanished(structures.ids, distances),
        )


def _vanished(ids: tuple[int, ...], distances: Float[np.ndarray, " ids"]) -> str:
    gone = [str(label) for label, far in zip(ids, np.isinf(distances), strict=True) if far]
    if not gone:
        return ""
    rest = mean_of_defined(distances[np.isfinite(distances)])
    which = ", ".join(gone)
    return f"{len(gone)} of {len(ids)} structures vanished ({which}), mean of the others {rest:.4f}"
