"""What the metrics of structures have in common: which structures count."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field

from eval.metrics.base import Case, MetricBase, Result, mean_of_defined
from eval.metrics.surface import VOXELS, Mask, Spacing
from eval.structures import Slices, Structures, bounding_boxes


def _distinct(labels: tuple[int, ...]) -> tuple[int, ...]:
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"{label} stands more than once")
    return labels


Labels = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_distinct)]


class StructureMetric(MetricBase):
    """A metric that has one value per structure."""

    folder: str = "labels"
    labels: Labels | None = None
    """The structures that it compares; the protocol's where they are not given."""
    absent: Literal["either", "both"] = "either"
    """`either`: a structure that the fixed or the unwarped moving map lacks is left out;
    `both`: only one that neither the fixed nor the warped map has."""

    def structures(self, case: Case) -> Structures:
        """The label maps of a case, for the structures of this metric."""
        return case.structures(self.folder, case.labels if self.labels is None else self.labels)

    def candidates(self, structures: Structures) -> Bool[np.ndarray, " ids"]:
        """Which structures may count; of those that neither map has, none does."""
        return structures.defined | (self.absent == "both")


class DistanceMetric(StructureMetric):
    """A distance between surfaces, one per structure."""

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    unit: Literal["voxels", "mm"] = "voxels"
    """`mm`: by the spacing of the fixed image."""
    infinite: Literal["kept", "dropped"] = "kept"
    """Whether a structure that vanished in warping makes the mean infinite, or does not count."""

    def result(self, case: Case, measure: Callable[[Mask, Mask, Spacing], float]) -> Result:
        """Measure every structure of a case and average."""
        structures = self.structures(case)
        spacing = VOXELS if self.unit == "voxels" else case.spacing_mm("fixed")
        distances = per_structure(
            structures,
            self.candidates(structures),
            lambda fixed, warped: measure(fixed, warped, spacing),
        )
        counted = distances if self.infinite == "kept" else distances[np.isfinite(distances)]
        return Result(
            mean=mean_of_defined(counted),
            detailed=tuple(distances.tolist()),
            note=_vanished(structures.ids, distances),
        )


def per_structure(
    structures: Structures,
    candidates: Bool[np.ndarray, " ids"],
    measure: Callable[[Mask, Mask], float],
) -> Float[np.ndarray, " ids"]:
    """A measure of each candidate's masks, which are cut to the box around both.

    Returns:
        NaN for what is no candidate or is in neither map; infinite where one of the maps lacks it.
    """
    count = len(structures.ids)
    fixed, warped = (bounding_boxes(part, count) for part in (structures.fixed, structures.warped))
    values = np.full(count, np.nan)
    for place in np.flatnonzero(candidates):
        index = int(place) + 1
        if index in fixed and index in warped:
            box = _around(fixed[index], warped[index])
            masks = (part[box] == index for part in (structures.fixed, structures.warped))
            values[place] = measure(*masks)
        elif index in fixed or index in warped:
            values[place] = np.inf
    return values


def _around(a: Slices, b: Slices) -> tuple[slice, ...]:
    return tuple(
        slice(min(one.start, other.start), max(one.stop, other.stop))
        for one, other in zip(a, b, strict=True)
    )


def _vanished(ids: tuple[int, ...], distances: Float[np.ndarray, " ids"]) -> str:
    gone = [str(label) for label, far in zip(ids, np.isinf(distances), strict=True) if far]
    if not gone:
        return ""
    rest = mean_of_defined(distances[np.isfinite(distances)])
    which = ", ".join(gone)
    return f"{len(gone)} of {len(ids)} structures vanished ({which}), mean of the others {rest:.4f}"
