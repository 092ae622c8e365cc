"""The images of a pair, cut to what they show and scaled for display."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped

from eval.maps.views import PLANES, AnatomicalView, ViewPlane
from eval.warp import warp_linear
from l2r.arrays import Box, Shape, Volume, triple
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
        shape = self.fixed_image.shape
        whole = Box((0, 0, 0), shape)
        both = self.inside | whole.cut(self._moving_inside)
        if not both.any():
            raise ImageError("both images are empty")
        ends = []
        for axis in range(3):
            filled = np.flatnonzero(both.any(axis=tuple({0, 1, 2} - {axis})))
            ends.append(
                (max(0, int(filled[0]) - _MARGIN), min(shape[axis], int(filled[-1]) + _MARGIN + 1))
            )
        return Box(triple([a for a, _ in ends]), triple([b - a for a, b in ends]))

    @property
    def slab(self) -> Slab:
        """The box as indices."""
        x, y, z = (slice(a, a + n) for a, n in zip(self.box.start, self.box.shape, strict=True))
        return x, y, z

    @cached_property
    def fixed(self) -> Volume:
        """The fixed image in the box, from 0 to 1."""
        shown = DisplayRange.of(self.fixed_image.array, self.inside)
        return shown.scaled(self.fixed_image.array[self.slab])

    @cached_property
    def moving(self) -> Volume:
        """The moving image at the same indices, from 0 to 1."""
        return self._moving_range.scaled(self.box.cut(self.moving_image.array))

    def warped(self, vectors: Float[np.ndarray, "x y z 3"]) -> Float32[np.ndarray, "_ _ _"]:
        """The warped image in the box, from 0 to 1."""
        return self.shown_in(self.box, vectors)

    def shown_in(
        self, box: Box, vectors: Float[np.ndarray, "x y z 3"]
    ) -> Float32[np.ndarray, "_ _ _"]:
        """The warped image in another box of the fixed grid, from 0 to 1."""
        slab = tuple(slice(a, a + n) for a, n in zip(box.start, box.shape, strict=True))
        start = np.array(box.start, vectors.dtype)
        return self._moving_range.scaled(
            warp_linear(self.moving_image.array, vectors[slab] + start)
        )

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
        means = []
        for axis in range(3):
            counts = inside.sum(axis=tuple({0, 1, 2} - {axis}))
            means.append(round(float((counts * np.arange(len(counts))).sum() / counts.sum())))
        return triple(means)

    @cached_property
    def _moving_inside(self) -> Bool[np.ndarray, "_ _ _"]:
        return foreground(self.moving_image.array)

    @cached_property
    def _moving_range(self) -> DisplayRange:
        return DisplayRange.of(self.moving_image.array, self._moving_inside)
