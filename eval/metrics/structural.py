"""Bases of the metrics of structures: which structures count, and how distances are averaged."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field

from eval.metrics.base import Case, MetricBase, Result, mean_of_defined
from eval.metrics.distances import Measure
from eval.metrics.surface import VOXELS, SurfacePair
from eval.structures import Structures
from l2r.arrays import Spacing


def _distinct(labels: tuple[int, ...]) -> tuple[int, ...]:
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"{label} is listed more than once")
    return labels


StructureLabels = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_distinct)]


class StructureMetric(MetricBase):
    """A metric that has one value per structure."""

    folder: str = "labels"
    labels: StructureLabels | None = None
    """The structures that it compares; the protocol's where they are not given."""
    absent: Literal["either", "both"] = "either"
    """`either`: a structure that the fixed or the unwarped moving map lacks is left out;
    `both`: only one that neither the fixed nor the warped map has."""

    def structures(self, case: Case) -> Structures:
        """The label maps of a case, for the structures of this metric."""
        return case.structures(self.folder, self._compared(case))

    def surfaces(self, case: Case, spacing: Spacing) -> list[SurfacePair]:
        """The surfaces of these structures."""
        return case.surfaces(self.folder, self._compared(case), spacing)

    def _compared(self, case: Case) -> tuple[int, ...] | None:
        return case.labels if self.labels is None else self.labels

    def candidates(self, structures: Structures) -> Bool[np.ndarray, " structures"]:
        """Choose the structures that may count; one that neither map has never does."""
        return structures.defined | (self.absent == "both")


class DistanceMetric(StructureMetric):
    """A distance between surfaces, one per structure."""

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    unit: Literal["voxels", "mm"] = "voxels"
    """`mm`: by the spacing of the fixed image."""
    infinite: Literal["kept", "dropped"] = "kept"
    """Whether a structure that vanished in warping makes the mean infinite, or does not count."""

    def result(self, case: Case, measure: Measure) -> Result:
        """Measure every structure of a case and average."""
        structures = self.structures(case)
        spacing = VOXELS if self.unit == "voxels" else case.spacing_mm("fixed")
        both = self.surfaces(case, spacing)
        distances = per_structure(both, self.candidates(structures), measure)
        counted = distances if self.infinite == "kept" else distances[np.isfinite(distances)]
        return Result(
            mean=mean_of_defined(counted),
            detailed=tuple(distances.tolist()),
            labels=structures.labels,
            note=_vanished(structures.labels, distances),
        )


def per_structure(
    pairs: list[SurfacePair], candidates: Bool[np.ndarray, " structures"], measure: Measure
) -> Float[np.ndarray, " structures"]:
    """Apply a measure to the two surfaces of each candidate.

    Returns:
        NaN for a structure that is no candidate or in neither map; infinite where one map lacks it.
    """
    values = np.full(len(pairs), np.nan)
    for place in np.flatnonzero(candidates):
        pair = pairs[place]
        if pair.fixed.places.size or pair.warped.places.size:
            values[place] = measure(pair)
    return values


def _vanished(labels: tuple[int, ...], distances: Float[np.ndarray, " structures"]) -> str:
    gone = [str(label) for label, far in zip(labels, np.isinf(distances), strict=True) if far]
    if not gone:
        return ""
    rest = mean_of_defined(distances[np.isfinite(distances)])
    which = ", ".join(gone)
    return (
        f"{len(gone)} of {len(labels)} structures vanished ({which}), mean of the others {rest:.4f}"
    )
