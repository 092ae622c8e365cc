"""What a metric gets and what it gives: `Case -> Result`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float

from eval.structures import Structures, find_structures
from eval.truth import IMAGES, GroundTruth
from l2r.arrays import Box, Shape
from l2r.dataset import Pair
from l2r.errors import ImageError
from l2r.files import read_image, read_labels
from l2r.schema import Frozen

Ids = tuple[int, ...] | None


@dataclass(frozen=True)
class Case:
    """A pair with its field; ground truth is read when a metric asks for it, and once."""

    pair: Pair
    vectors: Float[np.ndarray, "x y z 3"]
    """Displacements in voxels on the fixed grid, as stored; all finite."""
    truth: GroundTruth
    labels: Ids = None
    """The structures that the protocol compares; those of the fixed map for None."""
    _known: dict[tuple[str, Ids], Structures] = field(default_factory=dict, init=False, repr=False)

    @property
    def shape(self) -> Shape:
        """Of the fixed grid, in voxels."""
        x, y, z, _ = self.vectors.shape
        return x, y, z

    def structures(self, folder: str, ids: Ids) -> Structures:
        """The label maps of one kind, warped.

        Args:
            folder: `labels` or `landmarks`, see `GroundTruth`.
            ids: the structures to compare; all of the fixed map but the background for None.

        Raises:
            ImageError: a map cannot be read, or the fixed one has another shape than the field.
        """
        if (folder, ids) not in self._known:
            path = self.truth.path(self.pair.fixed, folder)
            fixed = read_labels(path)
            if fixed.shape != self.shape:
                raise ImageError(
                    f"{path}: shape {fixed.shape}, but the field of {self.pair.name} has "
                    f"{self.shape}; labels must lie on the grid of the fixed image"
                )
            moving = read_labels(self.truth.path(self.pair.moving, folder))
            self._known[folder, ids] = find_structures(fixed, moving, self.vectors, ids)
        return self._known[folder, ids]

    def foreground(self, of: Literal["fixed", "moving"]) -> Bool[np.ndarray, "x y z"]:
        """Where an image is positive, on the fixed grid's indices.

        Raises:
            ImageError: it cannot be read.
        """
        scan = self.pair.fixed if of == "fixed" else self.pair.moving
        image = read_image(self.truth.path(scan, IMAGES)).array
        return Box((0, 0, 0), self.shape).cut(image > 0)


@dataclass(frozen=True)
class Result:
    """One metric of one case."""

    mean: float
    """What enters the ranking."""
    detailed: float | tuple[float, ...]
    """Per structure where there are several; NaN where the scorer leaves one out."""
    unregistered: float | None = None
    """`mean` of the zero field, where that costs little."""
    note: str = ""
    """What the mean hides, for instance its value without a structure that vanished."""


class MetricBase(Frozen, ABC):
    """A metric's settings, and the metric."""

    unit: ClassVar[str]
    """Of the result, empty for a plain number."""
    better: ClassVar[Literal["higher", "lower"]]

    name: str
    """How the organisers call it."""
    folder: str
    """The kind of ground truth that it needs, `images`, `labels` or `landmarks`."""

    @abstractmethod
    def __call__(self, case: Case) -> Result:
        """Score a case that has this kind of ground truth."""


def mean_of_defined(values: Float[np.ndarray, " ids"]) -> float:
    """Mean of what is not NaN; NaN where nothing is.

    Example:
        >>> mean_of_defined(np.array([1.0, np.nan, 3.0]))
        2.0
    """
    return float("nan") if np.isnan(values).all() else float(np.nanmean(values))
