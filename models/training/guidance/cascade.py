"""A cascade of networks as a teacher, whose weights learn each pair by heart."""

from functools import reduce
from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import nn

from l2r.grid import GridRule
from models.descent.loop import Kept
from models.descent.objective import WeightedRegulariser
from models.descent.weights import WeightOptimisation, WeightOptimisationConfig
from models.losses.catalog import Similarity
from models.losses.lncc import Lncc
from models.networks.base import RegistrationModel
from models.networks.catalog import ModelConfig
from models.networks.voxelmorph.lumir import VoxelMorph1Config
from models.optim.optimisers import AdamConfig, Optimiser
from models.spatial.parametrisation import compose
from models.spatial.warp import warp
from models.training.guidance.online_optimiser import SMOOTH
from models.training.guidance.pretrained_network import grid_of
from models.training.guidance.pseudo_labeller import (
    GuidanceInput,
    PseudoLabeller,
    PseudoLabellerConfig,
)
from models.types import Fields, Volumes
from models.weights.load import build_network


class CascadeDescent(WeightOptimisationConfig):
    """A descent on the cascade's weights, with the papers' five steps at 1e-4."""

    similarity: Similarity = Lncc()
    regularisers: tuple[WeightedRegulariser, ...] = SMOOTH
    optimiser: Optimiser = AdamConfig(amsgrad=True)
    steps: PositiveInt = 5
    learning_rate: PositiveFloat = 1e-4
    keep: Kept = "last"


class CascadeConfig(PseudoLabellerConfig):
    """The prediction, followed by what a cascade of networks adds to it.

    The first network sees the moving image as the prediction warps it, each other one as the
    networks before it warp that. For each pair the weights start from the same values. The papers'
    Cascaded-1 is the default, Cascaded-2 is one network and ten steps.

    Source:
        Optron, arXiv:2308.15216. Its published cascade returns the field of its last network alone,
        which is not the way from the moving image, and no script uses it; here all are composed.
    """

    name: Literal["cascade"] = "cascade"
    model: ModelConfig = VoxelMorph1Config()
    networks: PositiveInt = 2
    descent: CascadeDescent = CascadeDescent()

    @property
    def grid(self) -> GridRule:
        return grid_of(self.model).joined(self.descent.grid)

    @property
    def needs_labels(self) -> bool:
        return self.descent.label_weight is not None

    def build(self, device: torch.device) -> "CascadePseudoLabeller":
        networks = [build_network(self.model) for _ in range(self.networks)]
        return CascadePseudoLabeller(self.descent.build(Cascade(networks).to(device).eval()))

    @model_validator(mode="after")
    def _can_learn(self) -> "CascadeConfig":
        if not self.model.trainable:
            raise ValueError(f"model {self.model.name!r} has no weights that could be optimised")
        return self


class CascadePseudoLabeller(PseudoLabeller):
    """Optimises a cascade for each pair."""

    def __init__(self, optimise: WeightOptimisation) -> None:
        self._optimise = optimise

    def __call__(self, item: GuidanceInput) -> Fields:
        left = item.case.after(item.prediction)
        return compose(item.prediction, self._optimise(left, random=item.random).field)


class Cascade(RegistrationModel):
    """Networks of which each sees what the ones before it leave to be done."""

    def __init__(self, networks: list[RegistrationModel]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.grid = networks[0].grid

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        def follow(field: Fields, network: nn.Module) -> Fields:
            return compose(field, network(fixed, warp(moving, field)))

        first, *others = self.networks
        return reduce(follow, others, first(fixed, moving))
