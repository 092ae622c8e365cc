"""Intensities in the range that networks expect, whatever scale a file has.

A network is trained on one range, and an image on another one silently ruins its field. So both
rules look at the image first, and report whatever they do beyond the task's rule.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, Float64
from pydantic import Field, PositiveFloat, model_validator
from scipy.ndimage import binary_dilation, uniform_filter

from l2r.arrays import Volume
from l2r.errors import ImageError
from l2r.schema import Frozen

Number: TypeAlias = np.float32 | np.float64
Values: TypeAlias = Float32[np.ndarray, " voxel"]


@dataclass(frozen=True)
class Normalised:
    """Intensities as a network wants them."""

    volume: Volume
    warning: str | None = None
    """A deviation from the task's rule, for the user."""


class Divide(Frozen):
    """Intensities divided by a constant: `v / by`.

    An image whose foreground is on another scale (in [0, 1], of 12 bits, standardised) is first
    brought to the task's.
    """

    kind: Literal["divide"] = "divide"
    by: PositiveFloat
    bright: PositiveFloat | None = None
    """The level that 99 % of the foreground of a usual image lie below; half of `by` if not given.
    Images on another scale are brought there."""

    def __call__(self, volume: Volume) -> Normalised:
        """Normalise a volume.

        Raises:
            ImageError: it is on another scale, and it is not clear on which: nearly constant, or
                with a background that is brighter than the foreground.
        """
        tissue = Tissue.of(volume)
        if tissue.fits(self.by):
            return self._divided(volume)
        bright = self.bright or self.by / 2
        rescaled = (tissue.rescaled(volume) * (bright / self.by)).clip(0, 1).astype(np.float32)
        warning = (
            f"intensities are on another scale than the task's, which divides by {self.by:g}: "
            f"98 % of the foreground lie between {tissue.dark:.3g} and {tissue.bright:.3g}; "
            f"the upper end is taken as {bright:g}"
        )
        return Normalised(rescaled, warning)

    def _divided(self, volume: Volume) -> Normalised:
        """The task's rule; voxels far beyond its range would spoil what a network sees around."""
        divided = (volume / np.float32(self.by)).astype(np.float32)
        least, most = _PLAUSIBLE
        faulty = (divided < least) | (divided > most)
        if not faulty.any():
            return Normalised(divided)
        warning = (
            f"{np.count_nonzero(faulty)} voxels lie beyond {least * self.by:g} to "
            f"{most * self.by:g} and were clipped to that range; they are faulty, or bright vessels"
        )
        return Normalised(divided.clip(least, most), warning)


_PLAUSIBLE = (-0.05, 1.02)
"""The range of what a network takes without harm, as shares of the divisor."""
_LEAST_BACKGROUND = 0.05
"""Share of an image that one value must have to be its background."""
_FITTING = (0.15, 1.02)
"""The upper end of the foreground as a share of the divisor. The shipped network loses less than
.02 of Dice on the sample's brains scaled by .35 to 2."""
_NEAR_ZERO = 0.05
_DARK = 0.1
"""Of a standardised brain, the 5 % quantile as a share of the 99 % quantile before it was shifted:
13 to 14 of 117 to 127 in the sample."""
_BRIGHTEST_BACKGROUND = 0.9
"""Share of the foreground that may be darker than the background."""


@dataclass(frozen=True)
class Tissue:
    """The foreground of an image in figures that single voxels cannot change."""

    background: float | None
    """The one value that it has outside of the foreground, if there is one."""
    below: float
    """Share of the foreground that is darker than the background."""
    dark: float
    """1 % quantile of the foreground."""
    shade: float
    """5 % quantile of the foreground."""
    bright: float
    """99 % quantile of the foreground."""

    @classmethod
    def of(cls, volume: Volume) -> "Tissue":
        """Measure an image that is not constant."""
        background = _background(volume)
        values = volume[volume != background] if background is not None else volume.ravel()
        dark, shade, bright = (float(v) for v in np.quantile(values, [0.01, 0.05, 0.99]))
        below = 0.0 if background is None else float((values < background).mean())
        return cls(background, below, dark, shade, bright)

    def fits(self, by: float) -> bool:
        """Tell if the image is on the scale of a task that divides by `by`."""
        low, high = _FITTING
        dark = min(self.dark, self.background or 0.0)
        centred = abs(self.background or 0.0) <= _NEAR_ZERO * by and dark >= -_NEAR_ZERO * by
        return centred and low * by <= self.bright <= high * by

    def rescaled(self, volume: Volume) -> Float64[np.ndarray, "x y z"]:
        """The image with its background at zero and the upper end of its foreground at one.

        Raises:
            ImageError: nearly all of the foreground is darker than the background, or constant.
        """
        background = self.background
        if self.below > _BRIGHTEST_BACKGROUND:
            raise ImageError(
                f"intensities are not on the task's scale, and the background, {background:g}, is "
                f"brighter than the foreground, {self.dark:.3g} to {self.bright:.3g}; bring the "
                "image to the task's scale, background at 0"
            )
        if background is None:  # noise around the tissue, or no surroundings at all
            zero = min(self.dark, 0.0)
        elif self.below > 0.01:  # standardised within the tissue only
            span = self.bright - self.shade
            zero = self.shade - span * _DARK / (1 - _DARK)
        else:
            zero = 0.0 if abs(background) <= _NEAR_ZERO * self.bright else background
        if self.bright <= zero:
            raise ImageError("the image is constant but for single voxels; mend it")
        result = (volume.astype(np.float64) - zero) / (self.bright - zero)
        if background is not None:
            result[volume == background] = 0
        return result


def _background(volume: Volume) -> float | None:
    """The most frequent of the values that a background may have: zero, the least, a corner's."""
    candidates = {0.0, float(volume.min()), float(volume[0, 0, 0])}
    counts = {value: int(np.count_nonzero(volume == value)) for value in sorted(candidates)}
    value = max(counts, key=lambda one: counts[one])
    return value if _LEAST_BACKGROUND * volume.size <= counts[value] < volume.size else None


class Quantile(Frozen):
    """Intensities clipped to two quantiles, which become 0 and 1; padding of CT is masked."""

    kind: Literal["quantile"] = "quantile"
    low: Annotated[float, Field(ge=0, lt=1)] = 0.001
    high: Annotated[float, Field(gt=0, le=1)] = 0.999

    @model_validator(mode="after")
    def _in_order(self) -> "Quantile":
        if self.low >= self.high:
            raise ValueError(f"low, {self.low:g}, must be below high, {self.high:g}")
        return self

    def __call__(self, volume: Volume) -> Normalised:
        """Normalise a volume that is not constant."""
        values, warnings = volume.ravel(), []
        low, high = self._ends(values)
        floor = _padding(values)
        if floor is not None and low < floor:
            share = float((values < floor).mean())
            warnings.append(f"{share:.2%} of the voxels are below {floor:.5g}, taken for padding")
            kept = values[values >= floor]
            # In a CT padding counts as air, so that an image with it is like one without.
            is_ct = floor == _AIR and np.quantile(kept, 0.01) < 0
            if is_ct:
                volume = _padded_with_air(volume)
            values = volume.ravel() if is_ct else kept
            low, high = self._ends(values)
        ceiling = _saturation(values, high)
        if ceiling is not None:
            share = float((values > ceiling).mean())
            warnings.append(f"{share:.2%} of the voxels are above {ceiling:.5g}, taken for faulty")
            low, high = self._ends(values[values <= ceiling])
        with np.errstate(over="ignore"):  # what becomes infinite is clipped
            scaled = np.clip((volume - low) / (high - low), 0, 1).astype(np.float32)
        return Normalised(scaled, "; ".join(warnings) or None)

    def _ends(self, values: Values) -> tuple[Number, Number]:
        low, high = np.quantile(values, [self.low, self.high])
        if low >= high:  # mostly background: nothing to clip
            low, high = values.min(), values.max()
        return low, high


_AIR = -1024.0
"""The least Hounsfield unit; what a CT has below is padding: -2000, -2048, -3024, -32768."""
_LIKE_AIR = -950.0
"""Least values from -1024 to this one are the air around a body, whatever lies inside."""
_BRIGHTEST_CT = 4096
_LEAST_PADDING = 1e-3
"""Share of the voxels at the very least value, for padding of a CT."""
_MOST_BLENDED = 0.3
"""Voxels between padding and air, as resampling leaves them, per other voxel; small images have
many, and an image of even values from -4096 to 4095 (a phase) has .6."""
_TOUCHING = np.ones((3, 3, 3), bool)
_AROUND = 5
"""Side of the cube around a blended voxel, in voxels, whose mean its tissue is taken for."""
_FAR_BELOW = 2.0
"""Distance from the least value to the 5 % quantile of all others, in ranges of these others, that
no tissue has."""
_FAR_ABOVE = 4.0
"""The same for the greatest value: bones, vessels and metal are bright."""


def _padding(values: Values) -> float | None:
    """The level below which voxels are padding; None where there is none."""
    least = float(values.min())
    others = values[values > least]
    if least >= 0 or not others.size:
        return None
    if _AIR <= least <= _LIKE_AIR and not _around_zero(others):  # then it is background
        return None
    low, high = (float(v) for v in np.quantile(others, [0.05, 0.99]))
    if least < _AIR and high < _BRIGHTEST_CT:
        blended = int(np.count_nonzero(others < _AIR))
        padded = values.size - others.size >= _LEAST_PADDING * values.size
        if padded and blended <= _MOST_BLENDED * (others.size - blended):
            return _AIR
    if low - least > _FAR_BELOW * (high - low) > 0:
        return (least + low) / 2
    return None


def _around_zero(others: Values) -> bool:
    """Tell if all but the least voxels are those of an image whose background is 0, so no CT's."""
    background = np.count_nonzero(others == 0)
    return bool(others.min() == 0 and background >= _LEAST_BACKGROUND * others.size)


def _padded_with_air(volume: Volume) -> Volume:
    """A CT with air in place of its padding.

    Resampling leaves voxels that are tissue in part and padding in part. These become tissue and
    air in the same parts, so that the outline stays where it is.
    """
    padding, low = volume.min(), volume < _AIR
    result = np.maximum(volume, np.float32(_AIR))
    if (volume[low] == padding).all():  # nothing is blended
        return result
    rim = binary_dilation(low, _TOUCHING) & (volume > padding)
    inner = (~low & ~rim).astype(np.float32)
    known_share = uniform_filter(inner, _AROUND)
    rim &= known_share > 0.5 / _AROUND**3
    tissue = uniform_filter(inner * volume, _AROUND)[rim] / known_share[rim]
    part = ((volume[rim] - padding) / (tissue - padding)).clip(0, 1)
    result[rim] = np.maximum(result[rim], _AIR + part * (tissue - _AIR))
    return result


def _saturation(values: Values, high: Number) -> float | None:
    """The level above which voxels are faulty; None unless so many are that they shift `high`."""
    most = float(values.max())
    others = values[values < most]
    if high < most or not others.size:
        return None
    least, upper = (float(v) for v in np.quantile(others, [0.01, 0.95]))
    return (most + upper) / 2 if most - upper > _FAR_ABOVE * (upper - least) > 0 else None
