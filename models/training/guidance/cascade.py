"""A cascade of networks as a teacher, whose weights learn from the pairs that it teaches."""

from contextlib import nullcontext
from functools import reduce
from typing import Any, Literal

import torch
from pydantic import PositiveFloat, PositiveInt, model_validator
from torch import nn

from l2r.grid import GridRule
from models.descent.loop import Kept
from models.descent.objective import WeightedRegulariser
from models.descent.weights import WeightOptimisationConfig, as_before
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
    networks before it warp that. For each pair some steps are taken on the weights, which all pairs
    share. The papers' Cascaded-1 is the default, Cascaded-2 is one network and ten steps.

    Source:
        Optron, arXiv:2308.15216. No published script uses its cascade.
    """

    name: Literal["cascade"] = "cascade"
    model: ModelConfig = VoxelMorph1Config()
    networks: PositiveInt = 2
    descent: CascadeDescent = CascadeDescent()
    learns: Literal["over_pairs", "each_pair_anew"] = "over_pairs"
    """From pair to pair weights and moments go on; or each pair begins with the first weights."""
    output: Literal["composed", "last"] = "composed"
    """The prediction and the fields of all networks, one after the other; or, as the published
    module returns it, the field of the last network alone, which begins at an image that has been
    warped already."""

    @property
    def grid(self) -> GridRule:
        return grid_of(self.model).joined(self.descent.grid)

    @property
    def needs_labels(self) -> bool:
        return self.descent.label_weight is not None

    def build(self, device: torch.device) -> "CascadePseudoLabeller":
        networks = [build_network(self.model) for _ in range(self.networks)]
        return CascadePseudoLabeller(Cascade(networks).to(device).eval(), self)

    @model_validator(mode="after")
    def _can_learn(self) -> "CascadeConfig":
        if not self.model.trainable:
            raise ValueError(f"model {self.model.name!r} has no weights that could be optimised")
        return self


class Cascade(RegistrationModel):
    """Networks of which each sees what the ones before it leave to be done."""

    def __init__(self, networks: list[RegistrationModel]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.grid = networks[0].grid

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        return reduce(compose, self.fields(fixed, moving))

    def fields(self, fixed: Volumes, moving: Volumes) -> list[Fields]:
        """Predict the field of each network, which begins where those before it end."""
        found: list[Fields] = []
        for network in self.networks:
            warped = warp(moving, reduce(compose, found)) if found else moving
            found.append(network(fixed, warped))
        return found


class CascadePseudoLabeller(PseudoLabeller):
    """Optimises a cascade for each pair."""

    def __init__(self, cascade: Cascade, config: CascadeConfig) -> None:
        self._cascade, self._config = cascade, config
        self._optimise = config.descent.build(cascade)
        self._optimiser = self._optimise.optimiser()

    @property
    def learns_over_pairs(self) -> bool:
        return self._config.learns == "over_pairs"

    @property
    def state(self) -> dict[str, Any]:
        if not self.learns_over_pairs:
            return {}
        return {
            "networks": self._cascade.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        if self.learns_over_pairs:
            self._cascade.load_state_dict(state["networks"])
            self._optimiser.load_state_dict(state["optimiser"])

    def __call__(self, item: GuidanceInput) -> Fields:
        left, over_pairs = item.case.after(item.prediction), self.learns_over_pairs
        with nullcontext() if over_pairs else as_before(self._cascade):
            optimiser = self._optimiser if over_pairs else self._optimise.optimiser()
            added = self._optimise.learn(left, optimiser, random=item.random).field
            if self._config.output == "last":
                with torch.no_grad():
                    return self._cascade.fields(left.fixed, left.moving)[-1]
        return compose(item.prediction, added)
