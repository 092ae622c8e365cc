"""The decoder, and the loop over time that turns its features into a field.

Each time step looks at the fixed image and at the moving image as warped so far, and predicts one
velocity. The features of the encoder are the same for all steps, the weights are not.

Source:
    Chen et al., time-varying velocity fields for TransMorph (TM-TVF), as in the LUMIR baseline:
    each velocity is carried by itself, `v(p + v(p))`, not by the field so far as the paper has it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from models.base import Fields, Volumes
from models.spatial import warp_lumir
from models.transmorph.memory import recomputed

Features = Float[Tensor, "batch _ x y z"]


def conv_block(inputs: int, outputs: int, norm: nn.Module) -> nn.Sequential:
    """3x3x3 convolution, normalisation, leaky rectifier."""
    conv = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, norm, nn.LeakyReLU(0.01, inplace=True))


def double(features: Features) -> Float[Tensor, "batch _ _ _ _"]:
    """Twice the resolution, trilinear."""
    return functional.interpolate(features, scale_factor=2, mode="trilinear")


class DecoderBlock(nn.Module):
    """Two convolutions over features, already of double resolution, and those skipped to them."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = conv_block(inputs + skipped, outputs, nn.InstanceNorm3d(outputs))
        self.conv2 = conv_block(outputs, outputs, nn.InstanceNorm3d(outputs))

    def forward(self, features: Features, skipped: Features) -> Features:
        conv, norm, rectify = self.conv1
        return self.conv2(rectify(norm(_conv_stacked(conv, features, skipped))))


def _conv_stacked(conv: nn.Module, first: Features, second: Features) -> Features:
    """`conv(cat(first, second))` without the stack, the largest tensor that there would be."""
    weight, channels = conv.get_parameter("weight"), first.shape[1]
    partial = functional.conv3d(first, weight[:, :channels], padding=1)
    return partial.add_(functional.conv3d(second, weight[:, channels:], padding=1))


class VelocityStep(NamedTuple):
    """The weights of one time step."""

    look: nn.Module
    decode: nn.Module
    head: nn.Module

    def velocity(self, features: Features, warped: Volumes, fixed: Volumes) -> Fields:
        """In voxels per step."""
        seen = self.look(torch.cat([warped, fixed], dim=1))
        return self.head(self.decode(features, seen))


def add_up_velocities(
    steps: Sequence[VelocityStep],
    features: Features,
    fixed: Volumes,
    moving: Volumes,
    *,
    checkpoint: bool,
) -> Fields:
    """`u_t(p) = u_(t-1)(p) + v_t(p + v_t(p))`, from `u_0 = 0`; the last of them.

    Args:
        steps: the weights, in the order of time.
        features: of the decoder, at the resolution of the images.
        fixed: what every step compares with.
        moving: what the field so far warps for the next step; the first sees it as it is.
        checkpoint: keep less for the backward pass and compute it again there.
    """

    def carried(step: VelocityStep, warped: Volumes) -> Fields:
        if checkpoint and torch.is_grad_enabled():
            velocity = recomputed(step.velocity, features, warped, fixed, statistics=step.look)
        else:
            velocity = step.velocity(features, warped, fixed)
        return warp_lumir(velocity, velocity)

    first, *later = steps
    field = carried(first, moving)
    for step in later:
        field = field + carried(step, warp_lumir(moving, field))
    return field
