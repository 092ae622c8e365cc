"""The grid that a network works on, and the exact way to it from an image's own grid and back.

A working grid is the image's grid, resampled if a voxel size is asked for, then padded or cropped
to a shape that the network allows. Voxels are areas: with `r` working voxels per image voxel, image
index `o` lies at working index `(o + 0.5) r - 0.5 - start`, where the working grid starts `start`
resampled voxels after the image. Fixed and moving image go the same way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32, Shaped

from l2r.arrays import Box, Shape, Vectors, Volume, block_sides, triple

SliceRule: TypeAlias = Literal["padded", "kept", "only"]
"""What becomes of an axis of one voxel: padded as any other, or kept; `only`: the third axis must
be one, for networks in two dimensions."""


@dataclass(frozen=True)
class GridRule:
    """The grids that a network or a refinement can work on."""

    multiple: int = 1
    """Every axis is a multiple of this many voxels."""
    exactly: Shape | None = None
    """The only shape there is, for networks whose weights know every place of their grid."""
    least: int = 0
    """Every axis has this many voxels or more; a thinner image is padded."""
    slices: SliceRule = "padded"

    def nearest(self, shape: Shape) -> Shape:
        """The smallest shape that is allowed and holds `shape`; `exactly`, if there is one."""
        if self.exactly is not None:
            return self.exactly
        return triple([self._length(size) for size in shape])

    def _length(self, size: int) -> int:
        if size == 1 and self.slices != "padded":
            return 1
        return -(-max(size, self.least) // self.multiple) * self.multiple

    def problem(self, shape: Shape) -> str | None:
        """Why a grid of this shape is not allowed and which one is, or None."""
        if self.slices == "only" and [size == 1 for size in shape] != [False, False, True]:
            return f"the network is for images of one slice, (x, y, 1), got {shape}"
        works = self.nearest(shape)
        if shape == works:
            return None
        if self.exactly is not None:
            return f"the grid must be {works}, got {shape}"
        least = f" and at least {self.least}" if self.least else ""
        return (
            f"axes must be multiples of {self.multiple}{least}, got {shape}; the nearest is {works}"
        )

    def finer(self, factor: int) -> "GridRule":
        """The same for grids of which this one's voxels are cubes of `factor` voxels a side."""
        exactly = self.exactly and triple([factor * size for size in self.exactly])
        return GridRule(factor * self.multiple, exactly, factor * self.least, self.slice_rule)

    def joined(self, other: "GridRule") -> "GridRule":
        """Combine two rules into one that allows what both allow.

        Raises:
            ValueError: there is no such grid.
        """
        multiple, exactly = math.lcm(self.multiple, other.multiple), self.exactly or other.exactly
        least, slices = max(self.least, other.least), {self.slice_rule, other.slice_rule}
        if slices == {"padded", "only"}:
            raise ValueError("one works in two dimensions, the other one in three")
        rule = next(word for word in ("only", "padded", "kept") if word in slices)
        if exactly is not None:
            for one in (GridRule(multiple, least=least), self, other):
                if problem := one.problem(exactly):
                    raise ValueError(problem)
        return GridRule(multiple, exactly, least, rule)

    @property
    def slice_rule(self) -> SliceRule:
        """The rule for slices; where any shape is allowed, a slice is kept too."""
        free = self.exactly is None and max(self.multiple, self.least) == 1
        return "kept" if free and self.slices == "padded" else self.slices


@dataclass(frozen=True)
class WorkingGrid:
    """The grid of a network, in terms of the grid of the fixed image."""

    shape: Shape
    """Of the fixed image."""
    scaled: Shape
    """Of the fixed image after resampling; the same unless a voxel size was asked for."""
    box: Box
    """The working grid as a piece of the resampled image's index space."""

    def bring(self, volume: Float32[np.ndarray, "_ _ _"]) -> Volume:
        """Fixed or moving image on the working grid, zero beyond the image.

        Trilinear; where voxels become larger, each is a weighted mean over those that it covers.
        """
        if self.scaled != self.shape:
            for axis, ratio in enumerate(self._ratios):
                volume = _apply(_means(volume.shape[axis], ratio), volume, axis)
        return self.box.cut(volume)

    def place(self, vectors: Float32[np.ndarray, "_ _ _ 3"]) -> Vectors:
        """A field of the working grid, in its voxels, on the fixed image's grid in voxels of that.

        Trilinear; beyond the working grid its border values continue.
        """
        placed = self.box.place(vectors, self.scaled)
        if self.scaled == self.shape:
            return placed
        for axis, ratio in enumerate(self._ratios):
            weights = _points(self.scaled[axis], self.shape[axis], 1 / ratio)
            placed = _apply(weights, placed, axis)
        return placed / np.array(self._ratios, np.float32)

    def around(self, *volumes: Shaped[np.ndarray, "_ _ _"]) -> "WorkingGrid":
        """Itself, moved along cropped axes so that what is not background lies in the middle."""
        start = list(self.box.start)
        for axis in range(3):
            if start[axis] > 0:
                first, last = _extent(volumes, axis)
                middle = (first + last + 1) / 2 * self._ratios[axis]
                start[axis] = max(0, round(middle - self.box.shape[axis] / 2))
        return replace(self, box=Box(triple(start), self.box.shape))

    def cut_off(self, volume: Shaped[np.ndarray, "_ _ _"]) -> int:
        """Count the voxels of an image that are not zero and lie beyond the working grid."""
        inside = []
        for axis, ratio in enumerate(self._ratios):
            places = (np.arange(volume.shape[axis]) + 0.5) * ratio - self.box.start[axis]
            kept = np.flatnonzero((places > 0) & (places < self.box.shape[axis]))
            inside.append(slice(kept[0], kept[-1] + 1) if kept.size else slice(0))
        rest = volume[tuple(inside)]
        if rest.shape == volume.shape:
            return 0
        return int(np.count_nonzero(volume) - np.count_nonzero(rest))

    @property
    def _ratios(self) -> tuple[float, ...]:
        """Working voxels per image voxel."""
        return tuple(new / old for new, old in zip(self.scaled, self.shape, strict=True))


def working_grid(
    fixed: Shape, moving: Shape, rule: GridRule, ratios: Sequence[float] = (1.0, 1.0, 1.0)
) -> WorkingGrid:
    """The smallest centred working grid that holds both images and that a network allows.

    Args:
        fixed: shape of the fixed image, in voxels.
        moving: shape of the moving image, in voxels; both share the origin of index space.
        rule: what the network allows; a shape that it fixes may be too small for the images.
        ratios: how many working voxels an image voxel is long along each axis, about: the fixed
            image becomes a whole number of them.
    """
    scaled = triple([_length(size, ratio) for size, ratio in zip(fixed, ratios, strict=True)])
    exact = [new / old for new, old in zip(scaled, fixed, strict=True)]
    both = [
        max(new, _length(size, ratio))
        for new, size, ratio in zip(scaled, moving, exact, strict=True)
    ]
    shape = rule.nearest(triple(both))
    start = [-((length - size) // 2) for length, size in zip(shape, both, strict=True)]
    return WorkingGrid(fixed, scaled, Box(triple(start), shape))


def cube_means(volume: Float32[np.ndarray, "_ _ _"], side: int) -> Volume:
    """Means over cubes of voxels, which a network with `shrink` sees; torch's `avg_pool3d`.

    Args:
        volume: voxels beyond the last whole cube are left out; of one slice, squares are taken.
        side: of a cube, in voxels.
    """
    if side == 1:
        return volume
    a, b, c = sides = block_sides(volume.shape, side)
    x, y, z = (size // step * step for size, step in zip(volume.shape, sides, strict=True))
    # In torch's order of summation, so that not a bit differs from what a run computes.
    total = np.zeros((x // a, y // b, z // c), np.float32)
    for i, j, k in product(*map(range, sides)):
        total += volume[i:x:a, j:y:b, k:z:c]
    return total / np.float32(math.prod(sides))


def _extent(volumes: Sequence[Shaped[np.ndarray, "_ _ _"]], axis: int) -> tuple[int, int]:
    """First and last index along an axis at which any of the volumes is not zero."""
    others = tuple(other for other in range(3) if other != axis)
    filled = np.concatenate([np.flatnonzero(volume.any(axis=others)) for volume in volumes])
    return int(filled.min()), int(filled.max())


def _length(size: int, ratio: float) -> int:
    return max(1, round(size * ratio))


def _means(old: int, ratio: float) -> Float32[np.ndarray, "new old"]:
    """The mean over each new voxel of an axis of the line through the old ones.

    A voxel that becomes smaller is interpolated at its centre. Both keep a linear image linear.
    """
    new = _length(old, ratio)
    if ratio >= 1:
        return _points(old, new, ratio)
    ends = np.arange(new + 1) / ratio - 0.5
    shares = np.diff(_area(ends[:, None] - np.arange(old)), axis=0)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def _area(
    ends: Float[np.ndarray, "end old"],
) -> Float[np.ndarray, "end old"]:
    """Below a triangle of height 1 and half-width 1, up to a place relative to its middle."""
    rising, falling = (1 + ends).clip(0, 1) ** 2 / 2, (1 - ends).clip(0, 1) ** 2 / 2
    return np.where(ends < 0, rising, 1 - falling)


def _points(old: int, new: int, ratio: float) -> Float32[np.ndarray, "new old"]:
    """Linear interpolation at the centres of new voxels."""
    places = ((np.arange(new) + 0.5) / ratio - 0.5).clip(0, old - 1)
    return (1 - np.abs(places[:, None] - np.arange(old))).clip(min=0).astype(np.float32)


def _apply(
    weights: Float32[np.ndarray, "new old"], array: Float32[np.ndarray, "..."], axis: int
) -> Float32[np.ndarray, "..."]:
    """The product with a matrix along one axis."""
    return np.ascontiguousarray(np.moveaxis(np.tensordot(weights, array, (1, axis)), 0, axis))
