"""Figures of one pair and one field, and the flags that follow from them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from eval.maps.pair_images import PairImages
from eval.run_record import RecordedPair
from l2r.check.similarity import FLOOR, take_samples

LITTLE_GAIN = 0.02
"""Gain of local correlation that a flag calls little."""
FAR_SHARE = 0.1
"""A displacement is far if it is longer than this part of the foreground's diagonal."""
FOLDED_SHARE = 1e-4
"""Part of the foreground that may fold without a flag."""
LEAST_OVERLAP = 0.9
"""Dice of the foregrounds below which they do not overlap."""
_SEVERE = ("unusable", "fallback", "suspect", "negative gain", "foregrounds differ")
_RANGE_OF_FOREGROUND = 0.02
"""Of a displayed image's range: darker is background, for what has no mask."""


@dataclass(frozen=True)
class PairMeasures:
    """Figures of one pair under one field."""

    correlation_before: float
    """Mean squared correlation within small blocks, from 0 to 1, of the images as they are."""
    correlation_after: float
    farthest_mm: float
    """The longest displacement in the foreground."""
    far_mm: float
    """Displacement that counts as far in this image."""
    folded: int
    """Voxels of the foreground whose determinant is not positive."""
    foreground: int
    """Voxels."""
    overlap: float
    """Dice of the fixed and the warped foreground."""

    @property
    def gain(self) -> float:
        """Gain of local correlation by the field."""
        return self.correlation_after - self.correlation_before


@dataclass(frozen=True)
class Flag:
    """One reason to look at a pair."""

    word: str
    """Short, for tables and filters."""
    text: str
    """With its numbers."""

    @property
    def severe(self) -> bool:
        """True if the field is likely of no use."""
        return self.word in _SEVERE


def measure(
    images: PairImages,
    vectors: Float[np.ndarray, "x y z 3"],
    warped: Float[np.ndarray, "_ _ _"],
    determinants: Float[np.ndarray, "_ _ _"],
) -> PairMeasures:
    """Measure a field.

    Args:
        images: of the pair.
        vectors: displacements in voxels on the fixed grid.
        warped: the warped image in the box of `images`.
        determinants: in the same box.
    """
    samples = take_samples(images.fixed_image.array, images.moving_image.array, vectors)
    before, after = (
        _correlation(samples.agreement(part))
        for part in (np.zeros_like(samples.stored), samples.stored)
    )
    inside = images.inside[images.slab]
    spacing = np.array(images.view.spacing_mm)
    squares = np.zeros(inside.shape, vectors.dtype, order="F")
    for component, side in zip(np.moveaxis(vectors[images.slab], -1, 0), spacing, strict=True):
        squares += (component * vectors.dtype.type(side)) ** 2
    diagonal = float(np.linalg.norm(np.array(images.box.shape) * spacing))
    return PairMeasures(
        correlation_before=before,
        correlation_after=after,
        farthest_mm=float(np.sqrt(squares.max(initial=0.0, where=inside))),
        far_mm=FAR_SHARE * diagonal,
        folded=int(np.count_nonzero((determinants <= 0) & inside)),
        foreground=int(np.count_nonzero(inside)),
        overlap=_dice(images.fixed > _RANGE_OF_FOREGROUND, warped > _RANGE_OF_FOREGROUND),
    )


def flags_of(measures: PairMeasures, record: RecordedPair | None) -> tuple[Flag, ...]:
    """The reasons to look at a pair, the severe ones first."""
    flags = [*_of_run(record or RecordedPair()), *_of_images(measures), *_of_field(measures)]
    return tuple(sorted(flags, key=lambda flag: not flag.severe))


def _of_run(record: RecordedPair) -> Iterator[Flag]:
    if record.status in {"fallback", "failed"}:
        yield Flag("fallback", f"the run failed, a zero field stands in: {record.error}")
    if record.status == "unimproved":
        yield Flag("unimproved", "no step of the refinement made the field better")
    if record.estimate and record.estimate.suspect:
        yield Flag("suspect", record.estimate.suspect)
    if record.over_budget:
        yield Flag("over budget", "took longer than the time budget")


def _of_images(measures: PairMeasures) -> Iterator[Flag]:
    if measures.overlap < LEAST_OVERLAP:
        text = f"Dice of both foregrounds is {measures.overlap:.2f} after warping"
        yield Flag("foregrounds differ", text)
    if measures.gain < 0:
        yield Flag("negative gain", f"local correlation falls by {-measures.gain:.3f}")
    elif measures.gain < LITTLE_GAIN:
        yield Flag("little gain", f"local correlation rises by {measures.gain:.3f} only")


def _of_field(measures: PairMeasures) -> Iterator[Flag]:
    if measures.folded > FOLDED_SHARE * measures.foreground:
        share = measures.folded / measures.foreground
        yield Flag("folds", f"{measures.folded} voxels fold, {share:.2%} of the foreground")
    if measures.farthest_mm > measures.far_mm:
        yield Flag("far", f"displacements of up to {measures.farthest_mm:.1f} mm")


def _correlation(agreement: Float[np.ndarray, " region"]) -> float:
    """The mean squared correlation that an agreement stands for."""
    known = agreement[np.isfinite(agreement)]
    return float(1 + FLOOR - np.exp(-known.mean())) if known.size else 0.0


def _dice(one: Bool[np.ndarray, "x y z"], other: Bool[np.ndarray, "x y z"]) -> float:
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / total if total else 0.0
