"""Deformations: composition, inversion, and the parameters that an optimiser can change."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, TypeAlias

from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from l2r.schema import Frozen
from models.spatial.deterministic import sample_repeatably
from models.spatial.warp import warp
from models.types import Fields

Parameters = Float[Tensor, "parts 3 x y z"]
"""Fields that are optimised: one on some grid, or one per interval of time."""

_INVERSIONS = 8
"""Fixed-point steps; each multiplies the error by the largest stretch of the field."""


def compose(outer: Fields, inner: Fields) -> Fields:
    """`u(p) = inner(p) + outer(p + inner(p))`, so `warp(warp(image, outer), inner)` in one go.

    Beyond the border the outer field continues with its border values.
    """
    if outer.requires_grad and outer.is_cuda:
        return inner + sample_repeatably(outer, inner)
    return inner + warp(outer, inner, padding="border")


def invert(field: Fields) -> Fields:
    """`v` with `v(p) = -u(p + v(p))`, by fixed-point iteration; close where `u` does not fold.

    Source:
        Chen et al. (2008), A simple fixed-point approach to invert a deformation field,
        doi:10.1118/1.2816107.
    """
    found = -field
    for _ in range(_INVERSIONS):
        found = found - compose(field, found)
    return found


class ParametrisationBase(Frozen, ABC):
    """Maps parameters to a displacement, both on one grid."""

    adds_to_prediction: ClassVar[bool] = False
    """Whether the parameters are added to the predicted field, and not composed with it."""

    @property
    def parts(self) -> int:
        """Number of fields among the parameters."""
        return 1

    @abstractmethod
    def forward(self, parameters: Parameters) -> Fields:
        """Displacement of the forward transform: on the fixed image, in voxels of the grid."""

    @abstractmethod
    def inverse(self, parameters: Parameters) -> Fields:
        """Displacement of the inverse transform: on the moving image, in voxels of the grid."""


class Velocity(ParametrisationBase):
    """A stationary velocity field `v`, integrated over unit time by scaling and squaring.

    `u = exp(v)`: halve `v` `squarings` times, then compose the result with itself as often. The
    map `p + u(p)` is smooth and invertible as long as `v` is smooth; its inverse is `exp(-v)`.

    Source:
        Arsigny et al. (2006), doi:10.1007/11866565_113; Dalca et al. (2018), arXiv:1805.04605.
    """

    name: Literal["velocity"] = "velocity"
    squarings: NonNegativeInt = 5

    def forward(self, parameters: Parameters) -> Fields:
        field = parameters / 2**self.squarings
        for _ in range(self.squarings):
            field = compose(field, field)
        return field

    def inverse(self, parameters: Parameters) -> Fields:
        return self.forward(-parameters)


class TimeVaryingVelocity(ParametrisationBase):
    """One velocity field `v_t` per interval of time, each followed for `1 / intervals`.

    `u_t(p) = u_(t-1)(p) + v_t(p + u_(t-1)(p)) / intervals`, Euler's method: more maps can be
    reached than with one stationary velocity. The inverse follows them in reverse.

    Source:
        Beg et al. (2005), LDDMM, doi:10.1023/B:VISI.0000043755.93987.aa, for flows of velocities
        that change with time.
    """

    name: Literal["time_varying_velocity"] = "time_varying_velocity"
    intervals: PositiveInt = 6

    @property
    def parts(self) -> int:
        return self.intervals

    def forward(self, parameters: Parameters) -> Fields:
        return followed((parameters / self.intervals).chunk(self.intervals))

    def inverse(self, parameters: Parameters) -> Fields:
        return followed((parameters.flip(0) / -self.intervals).chunk(self.intervals))


def followed(steps: Iterable[Fields]) -> Fields:
    """The displacement at the end of some steps, each taken where those before it lead."""
    first, *later = steps
    field = first
    for step in later:
        field = compose(step, field)
    return field


class Displacement(ParametrisationBase):
    """The displacement field itself; nothing but the regulariser keeps it from folding.

    What is optimised is added to the prediction, and regularised together with it, as on-the-fly
    guidance does.

    Source:
        Optron and on-the-fly guidance, arXiv:2308.15216.
    """

    adds_to_prediction: ClassVar[bool] = True

    name: Literal["displacement"] = "displacement"

    def forward(self, parameters: Parameters) -> Fields:
        return parameters

    def inverse(self, parameters: Parameters) -> Fields:
        return invert(parameters)


Parametrisation: TypeAlias = Annotated[
    Velocity | TimeVaryingVelocity | Displacement, Field(discriminator="name")
]
