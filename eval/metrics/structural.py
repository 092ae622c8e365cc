"""What the metrics of structures have in common: which structures count."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field

from eval.metrics.base import Case, MetricBase, Result, mean_of_defined
from eval.metrics.distances import Measure, scratch
from eval.metrics.surface import VOXELS, Spacing, surfaces
from eval.structures import Structures


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

    def result(self, case: Case, measure: Measure) -> Result:
        """Measure every structure of a case and average."""
        structures = self.structures(case)
        spacing = VOXELS if self.unit == "voxels" else case.spacing_mm("fixed")
        distances = per_structure(structures, self.candidates(structures), measure, spacing)
        counted = distances if self.infinite == "kept" else distances[np.isfinite(distances)]
        return Result(
            mean=mean_of_defined(counted),
            detailed=tuple(distances.tolist()),
            labels=structures.ids,
            note=_vanished(structures.ids, distances),
        )


def per_structure(
    structures: Structures,
    candidates: Bool[np.ndarray, " ids"],
    measure: Measure,
    spacing: Spacing = VOXELS,
) -> Float[np.ndarray, " ids"]:
    """A measure of each candidate's two surfaces.

    Returns:
        NaN for what is no candidate or is in neither map; infinite where one of the maps lacks it.
    """
    fixed, warped = (
        surfaces(part, len(structures.ids), spacing)
        for part in (structures.fixed, structures.warped)
    )
    values = np.full(len(structures.ids), np.nan)
    room = scratch(fixed[0]) if fixed else np.zeros(0, bool)
    for place in np.flatnonzero(candidates):
        here, there = fixed[place], warped[place]
        if here.places.size or there.places.size:
            values[place] = measure(here, there, room)
    return values


def _vanished(ids: tuple[int, ...], distances: Float[np.ndarray, " ids"]) -> str:
    gone = [str(label) for label, far in zip(ids, np.isinf(distances), strict=True) if far]
    if not gone:
        return ""
    rest = mean_of_defined(distances[np.isfinite(distances)])
    which = ", ".join(gone)
    return f"{len(gone)} of {len(ids)} structures vanished ({which}), mean of the others {rest:.4f}"
