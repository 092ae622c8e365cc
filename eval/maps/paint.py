"""Pictures of a pair in a plane: intensities, differences, grids, displacements, Jacobians."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from eval.maps.colours import DIVERGING, FOLD, GREY, LINE, ColourMap, RgbPicture, mark
from eval.maps.fields import deformed_grid, displacement_colours, log_determinants
from eval.maps.gradients import gradient_correlation_slice
from eval.maps.pair_images import PairImages
from eval.maps.views import ViewPlane
from eval.warp import Displacements
from l2r.arrays import Volume

GREYS = ColourMap(GREY, 0.0, 1.0)
DIFFERENCES = ColourMap(DIVERGING, -0.5, 0.5)
UNIT = ColourMap(DIVERGING, -1.0, 1.0)
"""Correlations, and logarithms of determinants."""


@dataclass(frozen=True)
class PlanePainter:
    """Paints slices of what lies in the box of a pair's images."""

    images: PairImages

    def cut(
        self, volume: Shaped[np.ndarray, "x y z *rest"], plane: ViewPlane
    ) -> Shaped[np.ndarray, "_ _ *rest"]:
        """The slice that is shown."""
        return self.images.view.slice_of(volume, plane, self.images.cuts[plane])

    def correlation(self, other: Volume, plane: ViewPlane) -> Float[np.ndarray, "_ _"]:
        """Gradient correlation of the fixed image and another one, not painted yet."""
        axis, at = self.images.view.normal(plane), self.images.cuts[plane]
        found = gradient_correlation_slice(self.images.fixed, other, axis, at)
        return self.images.view.slice_of(np.expand_dims(found, axis), plane, 0)

    def grey(self, volume: Volume, plane: ViewPlane) -> RgbPicture:
        """Intensities from 0 to 1."""
        return GREYS(self.cut(volume, plane))

    def difference(self, other: Volume, plane: ViewPlane) -> RgbPicture:
        """The fixed image minus another one."""
        return DIFFERENCES(self.cut(self.images.fixed, plane) - self.cut(other, plane))

    def grid(self, vectors: Displacements, under: Volume, plane: ViewPlane) -> RgbPicture:
        """Lines of the moving grid over an image."""
        steps = self.images.view.in_plane(vectors, plane, self.images.cuts[plane])
        return mark(self.grey(under, plane), deformed_grid(steps), LINE)

    def displacement(self, vectors: Displacements, limit_mm: float, plane: ViewPlane) -> RgbPicture:
        """Displacements as colours, the strongest at the limit."""
        return displacement_colours(
            self.images.view.anatomical_mm(self.cut(vectors, plane)), limit_mm
        )

    def jacobian(self, determinants: Float[np.ndarray, "x y z"], plane: ViewPlane) -> RgbPicture:
        """Logarithms of determinants, with folds marked."""
        shown = self.cut(determinants, plane)
        return mark(UNIT(log_determinants(shown)), shown <= 0, FOLD)
