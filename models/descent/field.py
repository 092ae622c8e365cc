"""Instance optimisation: one pair, its own deformation, coarse to fine."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from l2r.arrays import Shape, block_sides, triple
from l2r.grid import GridRule
from l2r.schema import Frozen
from models.descent.loop import OptimisationResult, StopConditions, descend
from models.descent.objective import DescentConfig, ImagePair, Refined
from models.descent.transform import BaseField, FieldTransform
from models.losses.catalog import Similarity
from models.losses.lncc import Lncc
from models.networks.base import RegistrationModel
from models.optim.combine import Losses
from models.spatial.parametrisation import Parametrisation, Velocity, compose
from models.spatial.warp import resize_field
from models.types import Fields

Coarse: TypeAlias = Float[Tensor, "parts 3 _ _ _"]
"""Optimised fields on the control-point grid of a level."""


class ResolutionLevel(Frozen):
    """One resolution of a coarse-to-fine descent."""

    shrink: PositiveInt
    """Images are averaged over cubes of this many voxels a side."""
    control: PositiveInt
    """Control-point spacing: voxels of the full grid per voxel of the optimised one."""
    similarity: Similarity = Lncc()
    steps: PositiveInt
    learning_rate: PositiveFloat
    """Step size of the optimiser: for Adam about the first step's length, in optimised voxels."""

    @property
    def halved(self) -> "ResolutionLevel":
        """The same at half the resolution."""
        return self.model_copy(update={"shrink": 2 * self.shrink, "control": 2 * self.control})


class InstanceOptimisationConfig(DescentConfig):
    """A descent on a deformation `w` that follows the prediction: `moving(q + u(q)), q = p + w(p)`.

    Minimises similarity and regularisers and keeps the best iterate of each level, which the next
    one starts from. A parametrisation may add to the prediction instead of following it.
    """

    name: Literal["instance_optimisation"] = "instance_optimisation"
    parametrisation: Parametrisation = Velocity()
    levels: tuple[ResolutionLevel, ...] = Field(min_length=1)

    @property
    def grid(self) -> GridRule:
        """Grids on which all levels shrink evenly and to two voxels or more along each axis.

        One slice stays one, and is registered in two dimensions.
        """
        sizes = [size for level in self.levels for size in (level.shrink, level.control)]
        return GridRule(math.lcm(*sizes), least=2 * max(sizes), slices="kept")

    @property
    def halved(self) -> "InstanceOptimisationConfig":
        """The same at half the resolution, an eighth of the memory."""
        return self.model_copy(update={"levels": tuple(level.halved for level in self.levels)})

    def build(self) -> "InstanceOptimisation":
        return InstanceOptimisation(self)

    def refiner(self, model: RegistrationModel) -> "InstanceOptimisation":  # noqa: ARG002
        return self.build()

    def coarser(self, shape: Shape) -> "InstanceOptimisationConfig | None":
        return None if self.halved.grid.problem(shape) else self.halved


class InstanceOptimisation:
    """Refine the prediction for one pair, see `InstanceOptimisationConfig`."""

    def __init__(self, config: InstanceOptimisationConfig) -> None:
        self._config = config

    def __call__(
        self,
        pair: ImagePair,
        prediction: Fields,
        *,
        deadline: float | None = None,
        random: torch.Generator | None = None,
    ) -> Refined:
        """Refine `prediction` until the last step or the deadline.

        Args:
            pair: intensities as the network sees them.
            prediction: displacement in voxels.
            deadline: in seconds of `time.monotonic`.
            random: what stochastic terms and combinations draw from, on the CPU.
        """
        config, shape = self._config, triple(pair.fixed.shape[2:])
        predicted = bool(prediction.any())
        adds = config.parametrisation.adds_to_prediction
        run = _Run(
            config,
            pair.after(prediction) if predicted and not adds else pair,
            prediction if predicted and adds else None,
            deadline,
            random or torch.Generator(),
        )
        parameters = prediction.new_zeros(config.parametrisation.parts, 3, 1, 1, 1)
        history: list[OptimisationResult] = []
        for level in config.levels:
            parameters = resize_field(parameters, divided(shape, level.control)).requires_grad_()
            history.append(run.descend(level, parameters))
            parameters = parameters.detach()
            if history[-1].stopped in {"deadline", "diverged"}:
                break
        found = resize_field(config.parametrisation.forward(parameters), shape)
        if predicted:
            found = prediction + found if adds else compose(prediction, found)
        return Refined(found, tuple(history))


@dataclass(frozen=True)
class _Run:
    """Settings and data that all levels share."""

    config: InstanceOptimisationConfig
    pair: ImagePair
    base: Fields | None
    """The prediction, if what is optimised is added to it."""
    deadline: float | None
    random: torch.Generator

    def descend(self, level: ResolutionLevel, parameters: Coarse) -> OptimisationResult:
        """Improve the parameters on one level."""
        config, pair = self.config, self.pair.shrunk(level.shrink)
        objective = config.bind(pair, level.similarity, self.random)
        base = self._base(triple(parameters.shape[2:]), triple(pair.fixed.shape[2:]))

        def losses() -> Losses:
            return objective(FieldTransform(pair.fixed, config.parametrisation, parameters, base))

        optimiser = config.optimiser.build([parameters], level.learning_rate)
        limits = StopConditions(level.steps, self.deadline, config.convergence)
        return descend([parameters], config.goal(losses, self.random), optimiser, limits)

    def _base(self, parameters: Shape, images: Shape) -> BaseField | None:
        if self.base is None:
            return None
        return BaseField(resize_field(self.base, parameters), resize_field(self.base, images))


def divided(shape: Shape, factor: int) -> Shape:
    """Shape of a grid whose voxels are `factor` times as long."""
    return triple(
        [size // side for size, side in zip(shape, block_sides(shape, factor), strict=True)]
    )
