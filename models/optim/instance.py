"""Instance optimisation: one pair, its own deformation, coarse to fine."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from l2r.arrays import Shape
from l2r.grid import GridRule
from l2r.schema import Frozen
from models.base import Fields, Volumes
from models.deform import Parametrisation, VelocityConfig, compose
from models.losses.catalog import Regulariser, Similarity
from models.losses.diffusion import DiffusionConfig
from models.losses.lncc import LnccConfig
from models.optim.combine import Losses
from models.optim.descend import Descent, descend
from models.spatial import resize_field, warp

Coarse: TypeAlias = Float[Tensor, "_ 3 _ _ _"]
"""What is optimised: a field on the control grid of a level."""


class Level(Frozen):
    """One resolution of a coarse-to-fine descent."""

    shrink: PositiveInt
    """Images are averaged over cubes of this many voxels a side."""
    control: PositiveInt
    """Voxels of the full grid per voxel of the grid that is optimised."""
    similarity: Similarity = LnccConfig()
    steps: PositiveInt
    learning_rate: PositiveFloat
    """Of Adam, hence about the first step's length, in voxels of the optimised grid."""


class InstanceOptimisationConfig(Frozen):
    """Adam on a deformation `w` that follows the prediction: `moving(q + u(q)), q = p + w(p)`.

    Minimises `similarity(fixed, warped) + weight * regulariser(what is optimised)` and keeps the
    best iterate of each level, which the next one starts from.
    """

    name: Literal["instance_optimisation"] = "instance_optimisation"
    parametrisation: Parametrisation = VelocityConfig()
    regulariser: Regulariser = DiffusionConfig()
    weight: NonNegativeFloat
    levels: tuple[Level, ...] = Field(min_length=1)

    @property
    def grid(self) -> GridRule:
        """The grids on which all levels shrink evenly."""
        sizes = (size for level in self.levels for size in (level.shrink, level.control))
        return GridRule(math.lcm(*sizes))

    def build(self) -> "InstanceOptimisation":
        return InstanceOptimisation(self)


@dataclass(frozen=True)
class Refined:
    """A better field, and how it came about."""

    field: Fields
    course: tuple[Descent, ...]
    """One per level that was begun."""


class InstanceOptimisation:
    """Refine the prediction for one pair, see `InstanceOptimisationConfig`."""

    def __init__(self, config: InstanceOptimisationConfig) -> None:
        self._config = config

    def __call__(
        self, fixed: Volumes, moving: Volumes, prediction: Fields, deadline: float | None = None
    ) -> Refined:
        """Refine `prediction` until the last step or the deadline.

        Args:
            fixed: intensities as the network sees them.
            moving: on the same grid.
            prediction: displacement in voxels; what is found is composed with it.
            deadline: in seconds of `time.monotonic`.
        """
        predicted = bool(prediction.any())
        moved = warp(moving, prediction) if predicted else moving
        held = fixed.new_zeros(1, 3, 1, 1, 1)
        course = []
        for level in self._config.levels:
            held = resize_field(held, _shape(fixed, level.control)).requires_grad_()
            course.append(self._descend(level, fixed, moved, held, deadline))
            held = held.detach()
            if course[-1].stopped != "steps":
                break
        found = resize_field(self._config.parametrisation(held), _shape(fixed, 1))
        return Refined(compose(prediction, found) if predicted else found, tuple(course))

    def _descend(
        self, level: Level, fixed: Volumes, moved: Volumes, held: Coarse, deadline: float | None
    ) -> Descent:
        moving = _shrunk(moved, level.shrink)
        similarity = level.similarity.bind(_shrunk(fixed, level.shrink))
        config, shape = self._config, _shape(fixed, level.shrink)

        def objective() -> Losses:
            field = config.parametrisation(held)
            if level.control != level.shrink:
                field = resize_field(field, shape)
            return similarity(warp(moving, field)), config.weight * config.regulariser(held)

        optimiser = torch.optim.Adam([held], lr=level.learning_rate)
        return descend([held], objective, optimiser, steps=level.steps, deadline=deadline)


def _shrunk(volume: Volumes, factor: int) -> Float[Tensor, "batch 1 _ _ _"]:
    return functional.avg_pool3d(volume, factor) if factor > 1 else volume


def _shape(volume: Volumes, factor: int) -> Shape:
    x, y, z = (size // factor for size in volume.shape[2:])
    return x, y, z
