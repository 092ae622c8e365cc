"""The images of a pair, cut to what they show and scaled for display."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped

from eval.jacobian import central_determinants
from eval.maps.views import PLANES, AnatomicalView, ViewPlane
from eval.warp import warp_linear
from l2r.arrays import Box, Shape, Volume, filled_box, triple
from l2r.check.similarity import foreground
from l2r.errors import ImageError
from l2r.formats.affine import Affine
from l2r.formats.volumes import Image

_MARGIN = 6
"""Voxels around the foreground that stay."""
_DARK, _BRIGHT = 0.005, 0.995
"""Quantiles of the foreground that become 0 and 1."""
_AIR = -1024.0
"""The least Hounsfield unit; padding of a CT is darker."""
_SAMPLED = 200_000
"""Voxels that quantiles are taken of."""
_EVERY = 3
"""Voxels along each axis of which one decides on the middle."""

Slab = tuple[slice, slice, slice]


@dataclass(frozen=True)
class DisplayRange:
    """Intensities that are shown as black and as white, the same in every picture of an image."""

    low: float
    high: float

    @classmethod
    def of(cls, volume: Volume, inside: Bool[np.ndarray, "x y z"]) -> "DisplayRange":
        """From what surrounds the foreground, or its darkest part, to its brightest part."""
        step = max(1, volume.size // _SAMPLED)
        every, known = volume.ravel(order="K")[::step], inside.ravel(order="K")[::step]
        values, outside = every[known], every[~known]
        if not values.size:
            values = every
        low, high = (float(q) for q in np.quantile(values, (_DARK, _BRIGHT)))
        if outside.size:
            low = min(low, float(outside[0]))
        low = max(low, _AIR) if high > _AIR else low
        return cls(low, high if high > low else low + 1.0)

    def scaled(self, volume: Shaped[np.ndarray, "*grid"]) -> Shaped[np.ndarray, "*grid"]:
        """Intensities from 0 to 1."""
        return ((volume - self.low) / (self.high - self.low)).clip(0, 1).astype(np.float32)


@dataclass(frozen=True)
class PairImages:
    """Fixed and moving image of a pair, and the box of both foregrounds."""

    fixed_image: Image
    moving_image: Image

    @cached_property
    def inside(self) -> Bool[np.ndarray, "x y z"]:
        """The fixed image's foreground."""
        return foreground(self.fixed_image.array)

    @cached_property
    def box(self) -> Box:
        """The piece of the fixed grid that holds both foregrounds."""
        both = self.inside | Box((0, 0, 0), self.fixed_image.shape).view(self._moving_inside)
        if not both.any():
            raise ImageError("both images are empty")
        return filled_box(both, _MARGIN)

    @property
    def slab(self) -> Slab:
        """The box as indices."""
        return self.box.slices

    @cached_property
    def fixed(self) -> Volume:
        """The fixed image in the box, from 0 to 1."""
        shown = DisplayRange.of(self.fixed_image.array, self.inside)
        return shown.scaled(self.fixed_image.array[self.slab])

    @cached_property
    def moving(self) -> Volume:
        """The moving image at the same indices, from 0 to 1."""
        return self._moving_range.scaled(self.box.view(self.moving_image.array))

    def warped(self, vectors: Float[np.ndarray, "x y z 3"]) -> Float32[np.ndarray, "_ _ _"]:
        """The warped image in the box, from 0 to 1."""
        return self.shown_in(self.box, vectors)

    def shown_in(
        self, box: Box, vectors: Float[np.ndarray, "x y z 3"]
    ) -> Float32[np.ndarray, "_ _ _"]:
        """The warped image in another box of the fixed grid, from 0 to 1."""
        start = np.array(box.start, vectors.dtype)
        return self._moving_range.scaled(
            warp_linear(self.moving_image.array, vectors[box.slices] + start)
        )

    def displayed(self, warped: Volume) -> Float32[np.ndarray, "_ _ _"]:
        """Cut an image on the whole fixed grid to the box, and scale it from 0 to 1."""
        return self._moving_range.scaled(warped[self.slab])

    def determinants(self, vectors: Float[np.ndarray, "x y z 3"]) -> Float[np.ndarray, "_ _ _"]:
        """Jacobian determinants in the box, to look at; 1 at the outermost voxels of the grid."""
        beyond, missing = [], []
        for part, size in zip(self.slab, vectors.shape, strict=False):
            ends = max(0, part.start - 1), min(size, part.stop + 1)
            beyond.append(slice(*ends))
            border = size > 1  # the one slice of an image counts
            missing.append((int(border and part.start == 0), int(border and part.stop == size)))
        found = central_determinants(vectors[tuple(beyond)], precision=np.float32)
        return np.pad(found, missing, constant_values=1.0)

    @cached_property
    def affine(self) -> Affine:
        """Voxels of the box to RAS millimetres of the fixed image."""
        shifted = self.fixed_image.affine.copy()
        shifted[:3, 3] += shifted[:3, :3] @ np.array(self.box.start)
        return shifted

    @cached_property
    def view(self) -> AnatomicalView:
        """The directions of the fixed grid."""
        return AnatomicalView.of(self.fixed_image.affine)

    @cached_property
    def cuts(self) -> dict[ViewPlane, int]:
        """The slices that are shown, through the middle of the fixed foreground, in the box."""
        middle = self._middle
        return {plane: middle[self.view.normal(plane)] for plane in PLANES}

    @cached_property
    def _middle(self) -> Shape:
        inside = self.inside[self.slab]
        if not inside.any():
            return triple([size // 2 for size in inside.shape])
        step = _EVERY if inside[::_EVERY, ::_EVERY, ::_EVERY].any() else 1
        places = np.nonzero(inside[::step, ::step, ::step])
        return triple([round(step * float(part.mean())) for part in places])

    @cached_property
    def _moving_inside(self) -> Bool[np.ndarray, "_ _ _"]:
        return foreground(self.moving_image.array)

    @cached_property
    def _moving_range(self) -> DisplayRange:
        return DisplayRange.of(self.moving_image.array, self._moving_inside)
