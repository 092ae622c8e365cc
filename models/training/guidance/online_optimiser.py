"""The online optimiser: each prediction is refined by some steps of instance optimisation."""

from typing import Literal

import torch
from pydantic import PositiveInt

from l2r.arrays import triple
from l2r.grid import GridRule
from models.descent.field import InstanceOptimisationConfig, ResolutionLevel, divided
from models.descent.loop import Kept
from models.descent.objective import WeightedRegulariser
from models.losses.diffusion import Diffusion
from models.optim.optimisers import AdamConfig, Optimiser
from models.spatial.parametrisation import Displacement, Parametrisation
from models.spatial.warp import resize_field
from models.training.guidance.pseudo_labeller import (
    GuidanceInput,
    PseudoLabeller,
    PseudoLabellerConfig,
)
from models.training.schedule import PolyConfig, Schedule
from models.types import Fields

SMOOTH = (WeightedRegulariser(weight=1.0, term=Diffusion()),)


class OnlineDescent(InstanceOptimisationConfig):
    """Instance optimisation with the papers' defaults.

    Ten steps of Adam with AMSGrad, fresh for each pair, on every vector of the displacement; LNCC
    in windows of nine voxels and diffusion count once each; the field after all steps is kept.

    One level with `shrink = 2` and `control = 2` finds what is to be added to the prediction on a
    coarser grid, and keeps the prediction's detail.
    """

    parametrisation: Parametrisation = Displacement()
    regularisers: tuple[WeightedRegulariser, ...] = SMOOTH
    optimiser: Optimiser = AdamConfig(amsgrad=True)
    levels: tuple[ResolutionLevel, ...] = (
        ResolutionLevel(shrink=1, control=1, steps=10, learning_rate=0.1),
    )
    keep: Kept = "last"


class OnlineOptimiserConfig(PseudoLabellerConfig):
    """The prediction, refined.

    Source:
        Optron, and on-the-fly guidance, arXiv:2308.15216.
    """

    name: Literal["optimiser"] = "optimiser"
    descent: OnlineDescent = OnlineDescent()
    schedule: Schedule = PolyConfig()
    """How the learning rate of the descent falls with the epochs of the training."""
    down_sampled: PositiveInt = 1
    """Prediction and images are brought to voxels so many times as long a side first, and what is
    optimised there is the whole field: detail of the prediction is lost. That is the papers'
    down-sampled optimiser, whose factor they leave open."""

    @property
    def grid(self) -> GridRule:
        return self.descent.grid.finer(self.down_sampled)

    @property
    def needs_labels(self) -> bool:
        return self.descent.label_weight is not None

    def build(self, device: torch.device) -> "OnlineOptimiser":  # noqa: ARG002 - it has no weights
        return OnlineOptimiser(self)


class OnlineOptimiser(PseudoLabeller):
    """Refines predictions."""

    def __init__(self, config: OnlineOptimiserConfig) -> None:
        self._config = config

    def __call__(self, item: GuidanceInput) -> Fields:
        optimise, factor = self._at(item.epoch, item.epochs).build(), self._config.down_sampled
        shape = triple(item.prediction.shape[2:])
        start = resize_field(item.prediction, divided(shape, factor))
        found = optimise(item.case.shrunk(factor), start, random=item.random).field
        return resize_field(found, shape)

    def _at(self, epoch: int, epochs: int) -> InstanceOptimisationConfig:
        descent, rate = self._config.descent, self._config.schedule.rate
        levels = tuple(
            level.model_copy(update={"learning_rate": rate(level.learning_rate, epoch, epochs)})
            for level in descent.levels
        )
        return descent.model_copy(update={"levels": levels})
