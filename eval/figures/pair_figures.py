"""Figures of one pair and some fields of it: three planes as rows, what is shown as columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke

from eval.figures.canvas import panels, titles_of
from eval.jacobian import at_all_voxels, central_determinants
from eval.maps.colours import ColourMap, RgbPicture
from eval.maps.paint import DIFFERENCES, UNIT, PlanePainter
from eval.maps.pair_images import PairImages
from eval.maps.views import PLANES, ViewPlane
from l2r.arrays import Volume, triple
from l2r.errors import FieldError
from l2r.formats.fields import read_field
from l2r.formats.volumes import read_image
from l2r.transforms.compose import as_displacement
from l2r.transforms.learn2reg import from_learn2reg
from l2r.transforms.residual import round_trip

_PANEL_IN = (2.1, 2.3)
_BAR_MM = 50.0
"""Length of the scale bar, unless an image is too small for it."""
_WHITE = "#ffffff"
SEQUENTIAL = "viridis"

Paint = Callable[[ViewPlane], RgbPicture]


@dataclass(frozen=True)
class ShownField:
    """A field with a title for its column."""

    title: str
    vectors: Float[np.ndarray, "x y z 3"]
    """Displacements in voxels on the whole fixed grid."""


@dataclass(frozen=True)
class PairFigure:
    """A pair with the fields that figures show."""

    images: PairImages
    fields: tuple[ShownField, ...]

    def slices(self) -> Figure:
        """Fixed and moving image, and the moving one warped by each field."""
        fixed, moving = self.images.fixed, self.images.moving
        columns = {"fixed": self._greys(fixed), "moving": self._greys(moving)}
        for field in self.fields:
            columns[self._named("warped", field)] = self._greys(self._warped(field))
        return self._drawn(columns)

    def difference(self) -> Figure:
        """The fixed image minus the moving one, and minus the one warped by each field."""
        columns: dict[str, Paint] = {
            "fixed": self._greys(self.images.fixed),
            "difference before": self._minus(self.images.moving),
        }
        for field in self.fields:
            columns[self._named("difference after", field)] = self._minus(self._warped(field))
        figure = self._drawn(columns)
        _colour_bar(figure, DIFFERENCES, "fixed minus other image, in parts of the shown range")
        return figure

    def displacement(self) -> Figure:
        """Each field as colours and as a deformed grid."""
        limit = max(1.0, *(self._limit_mm(field) for field in self.fields))
        columns: dict[str, Paint] = {}
        for field in self.fields:
            columns[self._named("displacement", field)] = self._colours(field, limit)
            columns[self._named("grid", field)] = self._grid(field.vectors, self.images.fixed)
        figure = self._drawn(columns)
        text = f"right, front, up as red, green, blue; full colour at {limit:g} mm"
        figure.supxlabel(text, fontsize=8)
        return figure

    def correlation(self) -> Figure:
        """Gradient correlation before and after, and their difference, of each field."""
        before = {plane: self._paint.correlation(self.images.moving, plane) for plane in PLANES}
        columns: dict[str, Paint] = {"before": _painted(before)}
        for field in self.fields:
            warped = self._warped(field)
            after = {plane: self._paint.correlation(warped, plane) for plane in PLANES}
            gain = {plane: after[plane] - before[plane] for plane in PLANES}
            columns[self._named("after", field)] = _painted(after)
            columns[self._named("difference", field)] = _painted(gain)
        figure = self._drawn(columns)
        _colour_bar(figure, UNIT, "gradient correlation")
        return figure

    def jacobian(self) -> Figure:
        """The logarithm of each field's Jacobian determinant, folds in green."""
        columns: dict[str, Paint] = {}
        for field in self.fields:
            shape = triple(field.vectors.shape[:3])
            determinants = at_all_voxels(central_determinants(field.vectors), shape)
            folds = int(np.count_nonzero(determinants <= 0))
            title = self._named("log Jacobian", field)
            columns[f"{title}\n{folds} voxels fold"] = self._logarithm(determinants)
        figure = self._drawn(columns)
        _colour_bar(figure, UNIT, "log of the Jacobian determinant; folds green")
        return figure

    def inverse(self) -> Figure:
        """Forward and inverse grid, both warped images, and the error of the composition."""
        (field,) = self.fields[:1]
        fixed, moving = self.images.fixed_image, self.images.moving_image
        forward = from_learn2reg(field.vectors, fixed.affine, moving.affine)
        inverse = as_displacement(forward.inverse(), fixed.grid)
        _, error_vox = round_trip(inverse, forward, fixed.grid, moving.grid)
        error_vox = np.nan_to_num(error_vox)[self.images.slab]
        most = max(float(np.quantile(error_vox[::3, ::3, ::3], 0.995)), 0.01)
        swapped = PairImages(moving, fixed)
        errors = ScalarMappable(Normalize(0, most), SEQUENTIAL)
        warped_back = swapped.shown_in(self.images.box, inverse.vectors)
        figure = self._drawn(
            {
                "forward grid": self._grid(field.vectors, self.images.fixed),
                "moving, warped": self._greys(self._warped(field)),
                "inverse grid": self._grid(inverse.vectors, self.images.moving),
                "fixed, warped back": self._greys(warped_back),
                "error of the composition": lambda plane: _rgb(
                    errors, self._paint.cut(error_vox, plane)
                ),
            }
        )
        figure.colorbar(errors, ax=figure.axes, label="voxels", shrink=0.6, aspect=30)
        return figure

    def _drawn(self, columns: dict[str, Paint]) -> Figure:
        shape, view = self.images.box.shape, self.images.view
        # Of one slice, the plane that it lies in; the others would be lines.
        planes = [plane for plane in PLANES if shape[view.normal(plane)] == 1] or PLANES
        figure, table = panels(len(planes), len(columns), _PANEL_IN)
        for row, plane in zip(table, planes, strict=True):
            width, height = view.extent_mm(shape, plane)
            for axes, (title, paint) in zip(row, columns.items(), strict=True):
                axes.imshow(paint(plane), extent=(0, width, 0, height), interpolation="nearest")
                axes.set_axis_off()
                if plane == planes[0]:
                    axes.set_title(title)
            _scale_bar(row[0], width, height)
        return figure

    def _named(self, what: str, field: ShownField) -> str:
        return f"{what}, {field.title}" if len(self.fields) > 1 else what

    @property
    def _paint(self) -> PlanePainter:
        return PlanePainter(self.images)

    def _greys(self, volume: Volume) -> Paint:
        return lambda plane: self._paint.grey(volume, plane)

    def _minus(self, volume: Volume) -> Paint:
        return lambda plane: self._paint.difference(volume, plane)

    def _warped(self, field: ShownField) -> Volume:
        return self.images.warped(field.vectors)

    def _limit_mm(self, field: ShownField) -> float:
        few = self.images.view.anatomical_mm(field.vectors[self.images.slab][::3, ::3, ::3])
        return float(np.ceil(np.quantile(np.abs(few), 0.995)))

    def _colours(self, field: ShownField, limit_mm: float) -> Paint:
        vectors = field.vectors[self.images.slab]
        return lambda plane: self._paint.displacement(vectors, limit_mm, plane)

    def _grid(self, vectors: Float[np.ndarray, "x y z 3"], under: Volume) -> Paint:
        inside = vectors[self.images.slab]
        return lambda plane: self._paint.grid(inside, under, plane)

    def _logarithm(self, determinants: Float[np.ndarray, "x y z"]) -> Paint:
        inside = determinants[self.images.slab]
        return lambda plane: self._paint.jacobian(inside, plane)


def read_pair_figure(fixed: Path, moving: Path, fields: Sequence[Path]) -> PairFigure:
    """Read a pair and its fields, with titles that tell them apart.

    Raises:
        ImageError: an image cannot be used.
        FieldError: a field cannot be used, or is on another grid than the fixed image.
    """
    images = PairImages(read_image(fixed), read_image(moving))
    titles = titles_of(fields)
    shown = [_field(*each, images) for each in zip(fields, titles, strict=True)]
    return PairFigure(images, tuple(shown))


def _field(path: Path, title: str, images: PairImages) -> ShownField:
    vectors, expected = read_field(path), (*images.fixed_image.shape, 3)
    if vectors.shape != expected:
        raise FieldError(f"{path}: shape {vectors.shape}, but the fixed image asks for {expected}")
    if not np.isfinite(vectors).all():
        raise FieldError(f"{path}: holds values that are NaN or infinite")
    return ShownField(title, vectors)


def _painted(maps: dict[ViewPlane, Float[np.ndarray, "_ _"]]) -> Paint:
    return lambda plane: UNIT(maps[plane])


def _rgb(colours: ScalarMappable, values: Float[np.ndarray, "_ _"]) -> RgbPicture:
    return np.asarray(colours.to_rgba(values, bytes=True))[..., :3]


def _scale_bar(axes: Axes, width_mm: float, height_mm: float) -> None:
    """A bar of a round length in the lower left corner, with its unit."""
    length = _BAR_MM if width_mm > 2 * _BAR_MM else 10.0 ** np.floor(np.log10(width_mm / 2))
    left, low = 0.04 * width_mm, 0.05 * height_mm
    edge: list[AbstractPathEffect] = [withStroke(linewidth=3, foreground="#000000")]
    (bar,) = axes.plot([left, left + length], [low, low], color=_WHITE, linewidth=2)
    text = axes.text(left, low + 0.02 * height_mm, f"{length:g} mm", color=_WHITE, fontsize=7)
    bar.set_path_effects(edge)
    text.set_path_effects(edge)


def _colour_bar(figure: Figure, colours: ColourMap, label: str) -> None:
    table = ListedColormap((colours.table / 255).tolist())
    mappable = ScalarMappable(Normalize(colours.low, colours.high), table)
    figure.colorbar(mappable, ax=figure.axes, label=label, shrink=0.6, aspect=30)
