"""Agreement of a fixed and a warped image that does not depend on their contrast.

Within small blocks of the fixed image's foreground, the grey values of two images that show the
same thing are nearly linear functions of each other, whatever the modality or the bias field. So
each block has its squared correlation, and a pair has one mean for each of several regions.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy.ndimage import map_coordinates

from l2r.arrays import Volume
from l2r.check.readings import Reading

SampledPoints = Float[np.ndarray, "3 point"]
Regions = Float[np.ndarray, " region"]

POINTS = 12_000
"""Places at which two images are compared."""
BLOCKS = 6
"""Along each axis of the foreground; a multiple of `REGIONS`."""
REGIONS = 3
"""Along each axis."""
FEWEST_POINTS = 20
"""In a block that counts."""
FINE_VOXELS = 2_000_000
"""Images of more voxels are averaged over 2 x 2 x 2."""
PADDING_SHARE = 0.02
"""Part of an image that the most frequent value fills if it is background."""
FLOOR = 0.05
"""Added to the unexplained variance, so that no block counts more than twenty bad ones."""
NONE = -float(np.log(1 + FLOOR))
"""Agreement of images that have nothing in common."""
INVERSIONS = 8
"""Fixed-point steps for the inverse of a field."""


@dataclass(frozen=True)
class Samples:
    """A pair of images and a field at random places of the fixed foreground."""

    points: SampledPoints
    """In voxels, between the voxels' centres: or interpolation would favour the zero field."""
    fixed: Float[np.ndarray, " point"]
    block: Int[np.ndarray, " point"]
    moving: Volume
    """Averaged over cubes of `factor` voxels a side."""
    factor: int
    vectors: Float[np.ndarray, "_ _ _ 3"]

    @cached_property
    def stored(self) -> SampledPoints:
        """The field's numbers at the points."""
        return self._stored_at(self.points)

    def displacement(self, reading: Reading) -> SampledPoints:
        """The field's displacements at the points, read in a way, in voxels."""
        if reading.inverted:
            return self._inverse()
        stored = self._stored_at(self.points[::-1]) if reading.transposed else self.stored
        result = reading.matrix @ stored + reading.offset[:, None]
        return result - self.points if reading.places else result

    def inside(self, displacement: SampledPoints) -> float:
        """Part of the points that stay within the moving image."""
        size = self.factor * np.array(self.moving.shape)[:, None]
        places = self.points + displacement
        return float(((places > -1) & (places < size)).all(axis=0).mean())

    def agreement(self, displacement: SampledPoints) -> Regions:
        """Per region, the mean over its blocks; larger is better, NaN for regions without any."""
        places = _coarse(self.points + displacement, self.factor)
        warped = map_coordinates(self.moving, places, order=1, mode="nearest")
        explained = _squared_correlation(self.fixed, warped, self.block)
        score = -np.log(1 + FLOOR - explained).reshape((REGIONS, BLOCKS // REGIONS) * 3)
        counts = np.isfinite(score).sum(axis=(1, 3, 5)).ravel()
        sums = np.nansum(score, axis=(1, 3, 5)).ravel()
        return np.divide(sums, counts, where=counts > 0, out=np.full(sums.shape, np.nan))

    def _stored_at(self, points: SampledPoints) -> SampledPoints:
        components = np.moveaxis(self.vectors, -1, 0)
        return np.stack([map_coordinates(c, points, order=1, mode="nearest") for c in components])

    def _inverse(self) -> SampledPoints:
        result = -self.stored
        for _ in range(INVERSIONS):
            result = -self._stored_at(self.points + result)
        return result


def take_samples(
    fixed: Float32[np.ndarray, "_ _ _"],
    moving: Float32[np.ndarray, "_ _ _"],
    vectors: Float[np.ndarray, "_ _ _ 3"],
) -> Samples:
    """Random places of the fixed foreground, the same for the same image."""
    rng = np.random.default_rng(0)
    candidates = np.flatnonzero(foreground(fixed))
    picked = np.sort(rng.choice(candidates, min(POINTS, candidates.size), replace=False))
    points = np.stack(np.unravel_index(picked, fixed.shape)) + rng.uniform(
        -0.5, 0.5, (3, len(picked))
    )
    factor = 2 if fixed.size > FINE_VOXELS else 1
    values = map_coordinates(
        _averaged(fixed, factor), _coarse(points, factor), order=1, mode="nearest"
    )
    return Samples(points, values, _blocks(points), _averaged(moving, factor), factor, vectors)


def foreground(volume: Volume) -> Bool[np.ndarray, "x y z"]:
    """Voxels that do not have the most frequent value, if that fills a good part of the image."""
    # Not `ravel`, which copies volumes of NIfTI's order.
    values, counts = np.unique(volume.flat[:: max(1, volume.size // 100_000)], return_counts=True)
    if counts.max() < PADDING_SHARE * counts.sum():
        return np.ones(volume.shape, bool)
    return volume != values[counts.argmax()]


def _coarse(points: SampledPoints, factor: int) -> SampledPoints:
    """Voxels of an image in voxels of its averages over cubes."""
    return (points - (factor - 1) / 2) / factor


def _averaged(volume: Volume, factor: int) -> Float32[np.ndarray, "_ _ _"]:
    """Means over cubes; what does not fill one is cut off."""
    if factor == 1 or min(volume.shape) < factor:
        return volume
    x, y, z = (size // factor for size in volume.shape)
    cubes = volume[: x * factor, : y * factor, : z * factor]
    for axis in range(3):  # one after the other is several times as fast as a joint mean
        halves = np.moveaxis(cubes, axis, 0)
        total = halves[::factor]
        for k in range(1, factor):
            total = total + halves[k::factor]
        cubes = np.moveaxis(total, 0, axis)
    return cubes / np.float32(factor**3)


def _blocks(points: SampledPoints) -> Int[np.ndarray, " point"]:
    """Number of the block that each point lies in, as in an array of `BLOCKS` a side."""
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    place = ((points - low) / (high - low + 1e-3) * BLOCKS).astype(int)
    return np.ravel_multi_index(tuple(place), (BLOCKS,) * 3)


def _squared_correlation(
    one: Float[np.ndarray, " point"],
    other: Float[np.ndarray, " point"],
    block: Int[np.ndarray, " point"],
) -> Float[np.ndarray, " block"]:
    """Per block; 0 where the other image is constant, NaN where the first is or points are few."""
    count = np.bincount(block, minlength=BLOCKS**3).clip(min=1)

    def sums(values: Float[np.ndarray, " point"]) -> Float[np.ndarray, " block"]:
        return np.bincount(block, values, BLOCKS**3)

    one = one - (sums(one) / count)[block]
    other = other - (sums(other) / count)[block]
    own, others, joint = sums(one * one), sums(other * other), sums(one * other)
    product = own * others
    result = np.divide(joint * joint, product, where=product > 0, out=np.zeros(len(count)))
    result[(count < FEWEST_POINTS) | (own <= 0)] = np.nan
    return result.clip(max=1)
