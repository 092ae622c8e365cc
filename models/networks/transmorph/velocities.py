"""The loop over time that turns the decoder's features into a field.

Each time step looks at the fixed image and at the moving image as warped so far, and predicts one
velocity. The features of the encoder are the same for all steps, the weights are not.

Source:
    Chen et al., time-varying velocity fields for TransMorph (TM-TVF), as in the LUMIR baseline:
    each velocity is carried by itself, `v(p + v(p))`, not by the field so far as the paper has it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from models.networks.blocks import Features
from models.networks.recompute import recomputed
from models.spatial.warp import warp_lumir
from models.types import Fields, Volumes


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
) -> tuple[Fields, list[Fields]]:
    """The velocities `v_t`, each predicted from what the ones before have made of the moving image.

    Args:
        steps: the weights, in the order of time.
        features: of the decoder, at the resolution of the images.
        fixed: what every step compares with.
        moving: what the field so far warps for the next step; the first sees it as it is.
        recompute: keep less for the backward pass and compute it again there.

    Returns:
        Where they lead, `u_t(p) = u_(t-1)(p) + v_t(p + v_t(p))` from `u_0 = 0`, and the velocities.
    """

    def velocity(step: VelocityStep, warped: Volumes) -> Fields:
        inputs = (features, warped, fixed)
        return recomputed(step.velocity, *inputs, when=recompute, statistics=step.look)

    first, *later = steps
    velocities = [velocity(first, moving)]
    field = carried(velocities[0])
    for step in later:
        velocities.append(velocity(step, warp_lumir(moving, field)))
        field = field + carried(velocities[-1])
    return field, velocities


def inverse_displacement(velocities: Sequence[Fields]) -> Fields:
    """`w_t(p) = w_(t-1)(p) - v_t(p - v_t(p))`: the inverse, in the same order of time."""
    first, *later = velocities
    field = carried(-first)
    for velocity in later:
        field = field + carried(-velocity)
    return field


def carried(velocity: Fields) -> Fields:
    """`v(p + v(p))`."""
    return warp_lumir(velocity, velocity)
