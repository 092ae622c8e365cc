"""The online optimiser: each prediction is refined by some steps of instance optimisation."""

from typing import Literal

import torch

from l2r.grid import GridRule
from models.descent.field import InstanceOptimisationConfig, ResolutionLevel
from models.descent.loop import Kept
from models.descent.objective import WeightedRegulariser
from models.losses.diffusion import Diffusion
from models.optim.optimisers import AdamConfig, Optimiser
from models.spatial.parametrisation import Displacement, Parametrisation
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

    One level with `shrink = 2` and `control = 2` is the papers' down-sampled optimiser: what is to
    be added to the prediction is found on a coarser grid.
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

    @property
    def grid(self) -> GridRule:
        return self.descent.grid

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
        optimise = self._at(item.epoch, item.epochs).build()
        return optimise(item.case, item.prediction, random=item.random).field

    def _at(self, epoch: int, epochs: int) -> InstanceOptimisationConfig:
        descent, rate = self._config.descent, self._config.schedule.rate
        levels = tuple(
            level.model_copy(update={"learning_rate": rate(level.learning_rate, epoch, epochs)})
            for level in descent.levels
        )
        return descent.model_copy(update={"levels": levels})
