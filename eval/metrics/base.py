"""The interface of metrics: a `Case` goes in, a `Result` comes out."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Shaped

from eval.jacobian import central_determinants
from eval.metrics.surface import SurfacePair, both_surfaces
from eval.structures import LabelMaps, Structures, find_structures
from eval.truth import IMAGES, GroundTruth
from eval.warp import Displacements, LabelArray, warp_linear, warp_nearest
from l2r.arrays import Box, Shape, Spacing, Volume
from l2r.errors import ImageError
from l2r.formats.volumes import (
    Image,
    grid_orientation,
    grid_shape,
    grid_spacing,
    read_image,
    read_labels,
)
from l2r.pairs import Pair
from l2r.schema import Frozen

Role = Literal["fixed", "moving"]
Warp = Callable[[LabelArray, Displacements], LabelArray]
"""Resamples a moving label map onto the fixed grid."""


@dataclass(frozen=True)
class Case:
    """A pair with its field; ground truth is read once, when a metric needs it."""

    pair: Pair
    vectors: Float[np.ndarray, "x y z 3"]
    """Displacements in voxels on the fixed grid, as stored; all finite."""
    truth: GroundTruth
    labels: tuple[int, ...] | None = None
    """Labels of the structures that the protocol compares; all of the fixed map for None."""
    warp: Warp = warp_nearest
    """Resampling of label maps by the task's scorer."""
    read: dict[Role, Image] = field(default_factory=dict, repr=False)
    """The images that have been read so far."""
    _maps: dict[str, LabelMaps] = field(default_factory=dict, init=False, repr=False)
    _known: dict[tuple[str, tuple[int, ...] | None], Structures] = field(
        default_factory=dict, init=False, repr=False
    )
    _surfaces: dict[tuple[str, tuple[int, ...] | None, Spacing], list[SurfacePair]] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def shape(self) -> Shape:
        """Shape of the fixed grid, in voxels."""
        x, y, z, _ = self.vectors.shape
        return x, y, z

    def structures(self, folder: str, labels: tuple[int, ...] | None) -> Structures:
        """The label maps of one kind, warped and indexed.

        Args:
            folder: `labels` or `landmarks`, see `GroundTruth`.
            labels: of the structures to compare; all of the fixed map but the background for None.

        Raises:
            ImageError: a map cannot be read, or the fixed one has another shape than the field.
        """
        if (folder, labels) not in self._known:
            self._known[folder, labels] = find_structures(self.label_maps(folder), labels)
        return self._known[folder, labels]

    def surfaces(
        self, folder: str, labels: tuple[int, ...] | None, spacing: Spacing
    ) -> list[SurfacePair]:
        """The surfaces of the fixed and of the warped structures, found once for all distances.

        Args:
            folder: as for `structures`.
            labels: as for `structures`.
            spacing: sides of a voxel, in voxels or in mm.

        Raises:
            ImageError: as for `structures`.
        """
        key = folder, labels, spacing
        if key not in self._surfaces:
            self._surfaces[key] = both_surfaces(self.structures(folder, labels), spacing)
        return self._surfaces[key]

    def label_maps(self, folder: str) -> LabelMaps:
        """The label maps of one kind, warped once for all metrics.

        Raises:
            ImageError: as for `structures`.
        """
        if folder not in self._maps:
            fixed = self.on_the_grid(read_labels(self.path("fixed", folder)), folder)
            moving = read_labels(self.path("moving", folder))
            self._require_shape_of_image(moving, folder)
            self._maps[folder] = LabelMaps(fixed, moving, self.warp(moving, self.vectors))
        return self._maps[folder]

    def _require_shape_of_image(self, moving: LabelArray, folder: str) -> None:
        image = self.path("moving", IMAGES)
        if not image.is_file():  # labels alone are enough for some metrics
            return
        shape = grid_shape(image)
        if moving.shape != shape:
            raise ImageError(
                f"{self.path('moving', folder)}: shape {moving.shape}, but its image has {shape}; "
                f"{folder} must lie on the grid of their image"
            )

    def orientation_notes(self) -> Iterator[str]:
        """Warnings of label maps, among those read so far, whose axes run unlike their image's."""
        roles: tuple[Role, Role] = ("fixed", "moving")
        for folder, role in itertools.product(self._maps, roles):
            path, beside = self.path(role, folder), self.path(role, IMAGES)
            if not beside.is_file():
                continue
            found, image = grid_orientation(path), grid_orientation(beside)
            if found != image and "?" not in found + image:
                yield (
                    f"{path}: stored as {found}, but its image as {image}; arrays are compared as "
                    "they are stored, as by the organisers' scorers, so store both alike"
                )

    def on_the_grid(
        self, fixed: Shaped[np.ndarray, "_ _ _"], folder: str
    ) -> Shaped[np.ndarray, "_ _ _"]:
        """Return a volume that belongs to the fixed image, if its shape is the field's.

        Raises:
            ImageError: it is not.
        """
        if fixed.shape != self.shape:
            raise ImageError(
                f"{self.path('fixed', folder)}: shape {fixed.shape}, but the field of "
                f"{self.pair.name} has {self.shape}; {folder} must lie on the grid of the fixed "
                "image"
            )
        return fixed

    def foreground(self, role: Role, folder: str = IMAGES) -> Bool[np.ndarray, "x y z"]:
        """Foreground of an image or a mask: its positive voxels, on the fixed grid's indices.

        Raises:
            ImageError: it cannot be read.
        """
        volume = (
            self.image(role).array if folder == IMAGES else read_labels(self.path(role, folder))
        )
        return Box((0, 0, 0), self.shape).view(volume > 0)

    def spacing_mm(self, role: Role) -> tuple[float, float, float]:
        """The sides of an image's voxels.

        Raises:
            ImageError: it cannot be read.
        """
        return grid_spacing(self.path(role, IMAGES))

    def path(self, role: Role, folder: str, suffix: str | None = None) -> Path:
        """Path of ground truth of one of the two scans, see `GroundTruth`."""
        scan = self.pair.fixed if role == "fixed" else self.pair.moving
        return self.truth.path(scan, folder, suffix)

    @cached_property
    def images(self) -> tuple[Volume, Float32[np.ndarray, "x y z"]]:
        """The fixed and the warped moving image, linearly interpolated.

        Raises:
            ImageError: one cannot be read, or the fixed one has another shape than the field.
        """
        fixed = self.on_the_grid(self.image("fixed").array, IMAGES)
        return fixed, warp_linear(self.image("moving").array, self.vectors)

    def image(self, role: Role) -> Image:
        """One of the two images, read once.

        Raises:
            ImageError: it cannot be read.
        """
        if role not in self.read:
            self.read[role] = read_image(self.path(role, IMAGES))
        return self.read[role]

    @cached_property
    def determinants(self) -> Float64[np.ndarray, "_ _ _"]:
        """Jacobian determinants by central differences, at all voxels but the outermost."""
        return central_determinants(self.vectors)


@dataclass(frozen=True)
class Result:
    """One metric of one case."""

    mean: float
    """The value that enters the ranking."""
    detailed: float | tuple[float, ...]
    """Per structure or point where there are several; NaN where the scorer leaves one out."""
    labels: tuple[int, ...] = ()
    """Labels of the structures in `detailed`; empty where it is not per structure."""
    unregistered: float | None = None
    """`mean` of the zero field, where it is cheap to compute."""
    note: str = ""
    """A hint that the mean hides, for instance its value without a structure that vanished."""


class MetricBase(Frozen, ABC):
    """A metric's settings, and the metric."""

    better: ClassVar[Literal["higher", "lower"]]

    name: str
    """Name that the organisers use."""
    folder: str
    """The kind of ground truth that it needs, `images`, `labels`, `landmarks`, `masks`, ..."""
    unit: str
    """Unit of the result, empty for a plain number."""

    @abstractmethod
    def __call__(self, case: Case) -> Result:
        """Score a case that has ground truth in the metric's folder."""

    def has_truth(self, pair: Pair, truth: GroundTruth) -> bool:
        """Tell whether both scans of a pair have the ground truth that the metric needs.

        Raises:
            ImageError: only one of them has, or an image is missing.
        """
        return truth.has(pair, self.folder)


def mean_of_defined(values: Float[np.ndarray, " structures"]) -> float:
    """Mean of the values that are not NaN; NaN without any.

    Example:
        >>> mean_of_defined(np.array([1.0, np.nan, 3.0]))
        2.0
    """
    return float("nan") if np.isnan(values).all() else float(np.nanmean(values))
