"""The steps that bring one head onto the challenge's grid."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, UInt8

from l2r.errors import ImageError
from l2r.formats.affine import Affine
from l2r.formats.volumes import Image
from l2r.transforms.base import AffineTransform
from l2r.transforms.resample import Resampling
from models.affine.parameters import rotation_degrees
from models.affine.registration import AffineRegistration, FoundAffine
from pipeline.prepare.bias import bias_field
from pipeline.prepare.brain import BrainExtraction, Mask, largest
from pipeline.prepare.template import (
    GRID,
    WHITE_LEVEL,
    correlation,
    coverage,
    is_t1,
    template,
    white_level,
)

_LEAST_EXTENT_MM, _MOST_SIDE_MM = 60.0, 8.0
"""Of a head along each axis, and of its voxels; elsewise the header must be wrong."""
_BRAIN_ML = (250.0, 2500.0)
"""Volumes that are taken for a brain, or for a part of one that a thin field of view holds."""
_STRIPPED = (0.75, 1.3)
"""Volume of all that is not background, in volumes of the brain: set by hand."""
_WHOLE = 0.97
"""Share of the template's brain within the field of view from which it counts as whole."""
_DARK_PART = 0.05
"""Share of a brain that may lie below zero by noise alone."""
_MOST_TURN_DEGREES = 45.0
_KEPT = 0.05
"""Quality that an image on the grid may lack and still be left where it is."""


@dataclass(frozen=True)
class PreparedHead:
    """A head on the challenge's grid, and how it got there."""

    volume: UInt8[np.ndarray, "x y z"]
    brain: Mask
    """On the image's own grid."""
    matrix: Affine
    """RAS millimetres of the grid to those of the image as it is stored."""
    steps: dict[str, object]
    """By name, in the order in which they were done."""
    warnings: tuple[str, ...]
    seconds: dict[str, float]


@dataclass
class PrepareHead:
    """Strips, corrects, aligns, resamples and scales heads, one after the other."""

    extract: BrainExtraction = field(default_factory=BrainExtraction)
    align: AffineRegistration = field(default_factory=lambda: AffineRegistration("affine"))

    def __call__(self, image: Image) -> PreparedHead:
        """Prepare one head.

        Raises:
            ImageError: it cannot be the image of a head, or does not fit the MNI152 brain.
            ConfigError: a package is missing.
        """
        _check_size(image)
        seconds: dict[str, float] = {}
        with _measured(seconds, "brain"):
            brain, stripped = self._brain(image)
            image = above_zero(image, brain)
        done = stripped and image.grid.is_like(GRID)
        with _measured(seconds, "bias"):
            values = np.where(brain, image.array, 0).astype(np.float32)
            if not done:
                values /= bias_field(image, brain)
        with _measured(seconds, "affine"):
            target = template()
            found = self.align((target.array, target.affine), (values, image.affine))
        _check_found(found)
        stays = done and found.gain < _KEPT
        matrix = np.eye(4) if stays else found.matrix
        with _measured(seconds, "resample"):
            scaled = _scaled(Resampling(GRID, AffineTransform(matrix))(values, image.affine))
        steps = {
            "orientation": image.orientation,
            "already_stripped": stripped,
            "bias_field": "none, it is on the grid" if done else "N4",
            "brain_ml": round(_volume_ml(image, brain), 1),
            "affine": "none, it is on the grid" if stays else "12 parameters to the MNI152 brain",
            "quality": round(found.quality, 4),
            "t1": is_t1(scaled.astype(np.float32)),
            "coverage": round(coverage(image.grid, matrix), 4),
            "correlation": round(correlation(scaled.astype(np.float32)), 4),
        }
        warnings = (*image.warnings, *_oddities(image, matrix, t1=bool(steps["t1"])))
        return PreparedHead(scaled, brain, matrix, steps, warnings, seconds)

    def _brain(self, image: Image) -> tuple[Mask, bool]:
        """The brain's mask, and if the image shows nothing but the brain already."""
        mask = self.extract(image)
        background = image.array.flat[0]
        shown = image.array != background
        if not mask.any():
            raise ImageError("no brain was found; is it a head?")
        low, high = _STRIPPED
        stripped = bool(
            low < shown.sum() / mask.sum() < high and (shown & mask).sum() > low * mask.sum()
        )
        mask = largest(shown) if stripped else mask
        volume_ml = _volume_ml(image, mask)
        if not _BRAIN_ML[0] <= volume_ml <= _BRAIN_ML[1]:
            raise ImageError(
                f"{volume_ml:.0f} mL were taken for brain, {_BRAIN_ML[0]:.0f} to "
                f"{_BRAIN_ML[1]:.0f} are expected; is it a head, and are its voxels "
                f"{' x '.join(f'{side:.3g}' for side in image.spacing_mm)} mm?"
            )
        return mask, stripped


def above_zero(image: Image, brain: Mask) -> Image:
    """The image with air at zero, if its brain goes below: offsets of headers, signed scanners."""
    darkest = float(np.quantile(image.array[brain], _DARK_PART))
    if darkest >= 0:
        return image
    faces = [np.take(image.array, end, axis).ravel() for axis in range(3) for end in (0, -1)]
    air = min(float(np.median(np.concatenate(faces))), darkest)
    return replace(image, array=image.array - np.float32(air))


@contextmanager
def _measured(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - start, 2)


def _check_size(image: Image) -> None:
    sides = image.spacing_mm
    extent = sides * np.array(image.shape)
    if extent.min() < _LEAST_EXTENT_MM or sides.max() > _MOST_SIDE_MM:
        raise ImageError(
            f"{' x '.join(map(str, image.shape))} voxels of "
            f"{' x '.join(f'{side:.3g}' for side in sides)} mm hold no head; at least "
            f"{_LEAST_EXTENT_MM:.0f} mm along each axis and voxels of at most "
            f"{_MOST_SIDE_MM:.0f} mm are expected; correct the header, or give another image"
        )


def _check_found(found: FoundAffine) -> None:
    if found.failed:
        raise ImageError(
            f"it does not fit the MNI152 brain, they share {found.quality:.2f} of 1; is it a head, "
            "and is the orientation of its header right?"
        )


def _oddities(image: Image, matrix: Affine, *, t1: bool) -> Iterator[str]:
    if (share := coverage(image.grid, matrix)) < _WHOLE:
        yield f"its field of view holds {share:.0%} of the brain; the rest is left black"
    if (turn := rotation_degrees(matrix)) > _MOST_TURN_DEGREES:
        yield f"the brain is turned by {turn:.0f} degrees; is the orientation of the header right?"
    if not t1:
        yield "its contrast is not T1's; networks for T1-weighted brains do not know it"


def _scaled(volume: Float32[np.ndarray, "x y z"]) -> UInt8[np.ndarray, "x y z"]:
    level = white_level(volume)
    if level <= 0:
        raise ImageError("it is black where the MNI152 brain has white matter; is it a head?")
    ratio = WHITE_LEVEL / level
    if abs(ratio - 1) < 0.05 and volume.max() <= 255:  # it is on this scale
        ratio = 1.0
    return np.rint((volume * ratio).clip(0, 255)).astype(np.uint8)


def _volume_ml(image: Image, mask: Mask) -> float:
    return float(mask.sum() * image.spacing_mm.prod() / 1000)
