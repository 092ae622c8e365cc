"""Still pictures of a pair and a field: one picture of each kind in each of three planes."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

import numpy as np
from jaxtyping import Float
from PIL import Image as PillowImage

from eval.maps.colours import OUTLINES, RgbPicture, edges, mark
from eval.maps.paint import UNIT, PlanePainter
from eval.maps.pair_images import PairImages
from eval.maps.views import PLANES, ViewPlane
from eval.structures import IndexMap
from l2r.arrays import Volume

_LEVEL = 1
"""Of PNG's compression: small pictures grow by a tenth and take a third of the time."""


@dataclass(frozen=True)
class StillKind:
    """One kind of picture in words."""

    key: str
    title: str
    hint: str
    """Colours and their meaning."""


FIXED = StillKind("fixed", "Fixed", "the image that stays")
MOVING = StillKind("moving", "Moving", "the other image, as it is")
BEFORE = StillKind(
    "before", "Difference before", "fixed minus moving: blue -0.5, red 0.5 of the shown range"
)
WARPED = StillKind("warped", "Warped", "the moving image on the fixed one")
AFTER = StillKind(
    "after", "Difference after", "fixed minus warped: blue -0.5, red 0.5 of the shown range"
)
GRID = StillKind("grid", "Deformed grid", "lines of the moving grid, 8 voxels apart")
DISPLACEMENT = StillKind(
    "displacement", "Displacement", "right, front, up as red, green, blue; grey where none is"
)
JACOBIAN = StillKind(
    "jacobian", "Log Jacobian", "blue -1, white 0 where volumes are kept, red 1; folds are green"
)
CORRELATION = StillKind(
    "correlation", "Gradient correlation", "in cubes of 9 voxels: blue -1, white 0, red 1"
)
GAIN = StillKind("gain", "Its change by the field", "red where it rises, blue where it falls")
OUTLINED = StillKind("outlines", "Structures", "outlines: fixed white, moving orange, warped blue")


@dataclass(frozen=True)
class Still:
    """One kind of picture in all planes."""

    kind: StillKind
    sources: dict[ViewPlane, str]
    """Data URLs."""


@dataclass(frozen=True)
class FieldMaps:
    """Everything that is drawn of one field, in the box of the pair's images."""

    vectors: Float[np.ndarray, "x y z 3"]
    warped: Volume
    determinants: Float[np.ndarray, "x y z"]


@dataclass(frozen=True)
class StructureMaps:
    """Structures by index, in the box of the pair's images."""

    fixed: IndexMap
    moving: IndexMap


@dataclass(frozen=True)
class StillPainter:
    """Paints the stills of a pair."""

    images: PairImages
    structures: StructureMaps | None = None

    @property
    def extents_mm(self) -> dict[ViewPlane, tuple[float, float]]:
        """Width and height of the pictures of each plane."""
        view, shape = self.images.view, self.images.box.shape
        return {plane: view.extent_mm(shape, plane) for plane in PLANES}

    def of_pair(self) -> list[Still]:
        """Fixed and moving image, and their difference."""
        images, paint = self.images, self._paint
        return [
            self._each(FIXED, lambda plane: paint.grey(images.fixed, plane)),
            self._each(MOVING, lambda plane: paint.grey(images.moving, plane)),
            self._each(BEFORE, lambda plane: paint.difference(images.moving, plane)),
        ]

    def of_field(
        self, maps: FieldMaps, limit_mm: float, warped_labels: IndexMap | None = None
    ) -> list[Still]:
        """Warped image, difference, grid, displacement, log Jacobian, gradient correlation.

        Args:
            maps: of the field.
            limit_mm: displacement of the strongest colour.
            warped_labels: structures of the moving image, warped, in the box.
        """
        correlation = {plane: self._paint.correlation(maps.warped, plane) for plane in PLANES}
        paint = self._paint
        kinds: dict[StillKind, Callable[[ViewPlane], RgbPicture]] = {
            WARPED: lambda plane: paint.grey(maps.warped, plane),
            AFTER: lambda plane: paint.difference(maps.warped, plane),
            GRID: lambda plane: paint.grid(maps.vectors, self.images.fixed, plane),
            DISPLACEMENT: lambda plane: paint.displacement(maps.vectors, limit_mm, plane),
            JACOBIAN: lambda plane: paint.jacobian(maps.determinants, plane),
            CORRELATION: lambda plane: UNIT(correlation[plane]),
            GAIN: lambda plane: UNIT(correlation[plane] - self._before[plane]),
        }
        if self.structures is not None and warped_labels is not None:
            found = self.structures, warped_labels
            kinds[OUTLINED] = lambda plane: self._outlines(*found, plane)
        return [self._each(kind, paint) for kind, paint in kinds.items()]

    def _each(self, kind: StillKind, paint: Callable[[ViewPlane], RgbPicture]) -> Still:
        return Still(kind, {plane: data_url(paint(plane)) for plane in PLANES})

    @property
    def _paint(self) -> PlanePainter:
        return PlanePainter(self.images)

    @cached_property
    def _before(self) -> dict[ViewPlane, Float[np.ndarray, "_ _"]]:
        """Gradient correlation without the field."""
        return {plane: self._paint.correlation(self.images.moving, plane) for plane in PLANES}

    def _outlines(self, maps: StructureMaps, warped: IndexMap, plane: ViewPlane) -> RgbPicture:
        paint = self._paint
        picture = paint.grey(self.images.fixed, plane)
        for labels, colour in zip((maps.fixed, maps.moving, warped), OUTLINES, strict=True):
            picture = mark(picture, edges(paint.cut(labels, plane)), colour)
        return picture


def data_url(picture: RgbPicture) -> str:
    """A picture as a PNG that stands in the page itself."""
    file = BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(picture)).save(file, "PNG", compress_level=_LEVEL)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
