"""Settings of synthetic pairs."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from l2r.schema import Frozen

Share = Annotated[float, Field(ge=0, le=1)]
_STEEPEST = 0.2
"""Of a wave's strength over its width; followed velocities began to fold far beyond it."""


class NoiseScale(Frozen):
    """A smooth random velocity: white noise under a Gaussian."""

    width: PositiveFloat
    """Standard deviation of the Gaussian, in voxels of the label map."""
    strength: NonNegativeFloat
    """Largest standard deviation of the velocity, in voxels of the label map per unit of time."""

    @model_validator(mode="after")
    def _is_gentle(self) -> "NoiseScale":
        if self.strength > _STEEPEST * self.width:
            raise ValueError(
                f"strength {self.strength:g} is too steep; at most {_STEEPEST} of the width, "
                f"{_STEEPEST * self.width:g}"
            )
        return self


class Deformation(Frozen):
    """Random deformation of a label map; each number is the largest of an even distribution."""

    degrees: NonNegativeFloat = 3.0
    """About each axis, either way."""
    voxels: NonNegativeFloat = 2.0
    """Along each axis, either way."""
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    """Longer or shorter along each axis."""
    shear: Annotated[float, Field(ge=0, le=0.2)] = 0.02
    noise_scales: tuple[NoiseScale, ...] = (
        NoiseScale(width=24, strength=3),
        NoiseScale(width=12, strength=1.5),
        NoiseScale(width=6, strength=0.75),
    )
    """Are added; the flow along the sum for unit time is the deformation."""


class Appearance(Frozen):
    """From structures to intensities; each number is the largest of what is drawn evenly."""

    t1: Share = 1.0
    """Of the images: they get T1-like intensities, the others random ones."""
    brightest: tuple[PositiveFloat, PositiveFloat] = (0.40, 0.46)
    """Between which the intensity of white matter lies, or of the brightest structure where
    intensities are random; 110 of 255 in LUMIR. The numbers below are parts of it."""
    jitter: Annotated[float, Field(ge=0, le=0.1)] = 0.06
    """By which a T1-like structure strays from its usual intensity, either way."""
    texture: NonNegativeFloat = 0.05
    """Standard deviation within a structure."""
    blur: NonNegativeFloat = 1.2
    """Standard deviation of the Gaussian that mixes neighbours, in voxels of the label map."""
    thick: Annotated[float, Field(ge=1)] = 2.5
    """Thickness of slices, in voxels of the label map, along one axis."""
    thick_share: Share = 0.25
    """Of the images: they have thick slices."""
    bias: NonNegativeFloat = 0.1
    """Standard deviation of the logarithm of the bias field."""
    noise: NonNegativeFloat = 0.03
    """Standard deviation of the noise."""
    gamma: NonNegativeFloat = 0.15
    """Of the logarithm of the exponent, either way."""


class Synthesis(Frozen):
    """Pairs that are made up from label maps, alone or with pairs of real images among them."""

    kind: Literal["synthesis"] = "synthesis"
    pairs: PositiveInt = 100
    """Of an epoch, real ones included."""
    real: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the pairs that are of real images, each moved onto a random other one."""
    real_labels: bool = False
    """Whether the real images have label maps, as `regatta segment` writes them; without them their
    label loss is zero."""
    one_map: Share = 0.5
    """Share of the synthetic pairs whose images come from one and the same label map."""
    kept: Annotated[int, Field(ge=2)] | None = None
    """Images that are painted from each label map, once; pairs are drawn from them. Without it the
    images of every pair are painted anew."""
    structures: tuple[int, ...] | None = None
    """Labels that count where the objective has a label term; else those that a pair shares."""
    deformation: Deformation = Deformation()
    appearance: Appearance = Appearance()
