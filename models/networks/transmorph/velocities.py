"""The loop over time that turns the decoder's features into a field.

Each time step looks at the fixed image and at the moving image as warped so far, and predicts one
velocity. The features of the encoder are the same for all steps, the weights are not.

Source:
    Chen et al., time-varying velocity fields for TransMorph (TM-TVF), and the LUMIR baseline. Their
    published code carries each velocity by itself, `v(p + v(p))`; the printed paper samples it at
    the place that the velocities before it lead to, as a flow does. Weights belong to one of them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import nn

from models.networks.blocks import Features
from models.networks.recompute import recomputed
from models.spatial.parametrisation import compose, followed
from models.spatial.warp import warp, warp_lumir
from models.types import Fields, Volumes

Integration: TypeAlias = Literal["published", "printed"]
"""How velocities add up to a field, see above; `published` warps with the biased warp of the
published weights, `printed` with the scorer's."""


class VelocityStep(NamedTuple):
    """The weights of one time step."""

    look: nn.Module
    decode: nn.Module
    head: nn.Module

    def velocity(self, features: Features, warped: Volumes, fixed: Volumes) -> Fields:
        """In voxels per step."""
        seen = self.look(torch.cat([warped, fixed], dim=1))
        return self.head(self.decode(features, seen))


def follow_velocities(
    steps: Sequence[VelocityStep],
    features: Features,
    fixed: Volumes,
    moving: Volumes,
    *,
    recompute: bool,
    integration: Integration = "published",
) -> tuple[Fields, list[Fields]]:
    """The velocities `v_t`, each predicted from what the ones before have made of the moving image.

    Args:
        steps: the weights, in the order of time.
        features: of the decoder, at the resolution of the images.
        fixed: what every step compares with.
        moving: what the field so far warps for the next step; the first sees it as it is.
        recompute: keep less for the backward pass and compute it again there.
        integration: published, `u_t(p) = u_(t-1)(p) + v_t(p + v_t(p))`, or printed,
            `u_t(p) = u_(t-1)(p) + v_t(p + u_(t-1)(p))`, both from `u_0 = 0`.

    Returns:
        The field `u` after the last step, and the velocities.
    """
    warped = warp_lumir if integration == "published" else warp

    def velocity(step: VelocityStep, warped: Volumes) -> Fields:
        inputs = (features, warped, fixed)
        return recomputed(step.velocity, *inputs, when=recompute, statistics=step.look)

    first, *later = steps
    velocities = [velocity(first, moving)]
    field = carried(velocities[0]) if integration == "published" else velocities[0]
    for step in later:
        velocities.append(velocity(step, warped(moving, field)))
        field = added(field, velocities[-1], integration)
    return field, velocities


def added(field: Fields, velocity: Fields, integration: Integration) -> Fields:
    """The field after one velocity more."""
    return field + carried(velocity) if integration == "published" else compose(velocity, field)


def inverse_displacement(
    velocities: Sequence[Fields], integration: Integration = "published"
) -> Fields:
    """The inverse of the field that velocities lead to.

    Published, `w_t(p) = w_(t-1)(p) - v_t(p - v_t(p))` in the same order of time, an inverse only
    roughly. Printed, the negative velocities are followed in reverse; what Euler's steps miss is
    left.
    """
    if integration == "printed":
        return followed(-velocity for velocity in reversed(velocities))
    first, *later = velocities
    field = carried(-first)
    for velocity in later:
        field = field + carried(-velocity)
    return field


def carried(velocity: Fields) -> Fields:
    """`v(p + v(p))`."""
    return warp_lumir(velocity, velocity)


def refuse_bias_of_printed(integration: Integration, *, correct_bias: bool) -> None:
    """Raise ValueError if a bias is to be corrected that the integration does not have."""
    if correct_bias and integration == "printed":
        raise ValueError('correct_bias: integration = "printed" has no bias; leave it out')
