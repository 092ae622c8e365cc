"""Deformations as functions: composition, and what an optimiser may hold of one."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, NonNegativeInt

from l2r.schema import Frozen
from models.base import Fields
from models.repeatable import sample_repeatably
from models.spatial import warp


def compose(outer: Fields, inner: Fields) -> Fields:
    """`u(p) = inner(p) + outer(p + inner(p))`, so `warp(warp(image, outer), inner)` in one go.

    Beyond the border the outer field continues with its border values.
    """
    if outer.requires_grad and outer.is_cuda:
        return inner + sample_repeatably(outer, inner)
    return inner + warp(outer, inner, padding="border")


class VelocityConfig(Frozen):
    """A stationary velocity field `v`, integrated over unit time by scaling and squaring.

    `u = exp(v)`: halve `v` `squarings` times, then compose the result with itself as often. The
    map `p + u(p)` is smooth and invertible as long as `v` is smooth.

    Source:
        Arsigny et al. (2006), doi:10.1007/11866565_113; Dalca et al. (2018), arXiv:1805.04605.
    """

    name: Literal["velocity"] = "velocity"
    squarings: NonNegativeInt = 5

    def __call__(self, velocity: Fields) -> Fields:
        field = velocity / 2**self.squarings
        for _ in range(self.squarings):
            field = compose(field, field)
        return field


class DisplacementConfig(Frozen):
    """The displacement field itself; nothing but the regulariser keeps it from folding."""

    name: Literal["displacement"] = "displacement"

    def __call__(self, field: Fields) -> Fields:
        return field


Parametrisation: TypeAlias = Annotated[
    VelocityConfig | DisplacementConfig, Field(discriminator="name")
]
"""From what is optimised to the displacement that it stands for, both on one grid."""
