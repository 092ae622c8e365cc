"""A second network as a teacher: trained before, or on the images of the training."""

from dataclasses import replace
from typing import Literal

import torch
from pydantic import NonNegativeInt, model_validator

from l2r.grid import GridRule
from models.networks.base import RegistrationModel
from models.networks.catalog import ModelConfig
from models.networks.voxelmorph.lumir import VoxelMorph1Config
from models.training.guidance.online_optimiser import OnlineOptimiserConfig
from models.training.guidance.pseudo_labeller import (
    GuidanceInput,
    Pretraining,
    PseudoLabeller,
    PseudoLabellerConfig,
)
from models.types import Fields
from models.weights.load import build_network


class NetworkPseudoLabellerConfig(PseudoLabellerConfig):
    """Predictions of another network, which no gradient of the training changes.

    With `model.weights` this is the papers' self-training, with `refined` as well their optimised
    self-training, and with `epochs` their network-based optimiser, VoxelMorph-n.

    Source:
        Optron, and on-the-fly guidance, arXiv:2308.15216, which compare with these.
    """

    name: Literal["network"] = "network"
    model: ModelConfig = VoxelMorph1Config()
    epochs: NonNegativeInt = 0
    """This network is trained for so many epochs on the same images, as the training file says, but
    without guidance."""
    learns: Literal["before_every_epoch", "once"] = "before_every_epoch"
    """It is trained so before every epoch that it teaches, and goes on from where it was, as the
    paper has it; or before the first epoch alone, and its weights are frozen then. The code of
    neither is published."""
    refined: OnlineOptimiserConfig | None = None
    """Its prediction is not what it teaches, but what this makes of it."""

    @property
    def grid(self) -> GridRule:
        rule = grid_of(self.model)
        return rule.joined(self.refined.grid) if self.refined else rule

    @property
    def needs_labels(self) -> bool:
        return self.refined is not None and self.refined.needs_labels

    def build(self, device: torch.device) -> "NetworkPseudoLabeller":
        refine = None if self.refined is None else self.refined.build(device)
        return NetworkPseudoLabeller(build_network(self.model).to(device), self, refine)

    @model_validator(mode="after")
    def _knows_something(self) -> "NetworkPseudoLabellerConfig":
        trained = self.epochs or self.model.weights is not None
        if not trained and self.refined is None:
            raise ValueError("an untrained network teaches nothing: give model.weights or epochs")
        return self


class NetworkPseudoLabeller(PseudoLabeller):
    """A network that says what another one should have said."""

    def __init__(
        self,
        network: RegistrationModel,
        config: NetworkPseudoLabellerConfig,
        refine: PseudoLabeller | None,
    ) -> None:
        self._network, self._config, self._refine = network, config, refine

    @property
    def pretraining(self) -> Pretraining | None:
        config = self._config
        if not config.epochs:
            return None
        again = config.learns == "before_every_epoch"
        return Pretraining(self._network, config.model, config.epochs, again)

    def __call__(self, item: GuidanceInput) -> Fields:
        self._network.eval()  # its own training may have left it otherwise
        with torch.no_grad():
            field = self._network(item.case.fixed, item.case.moving)
        return self._refine(replace(item, prediction=field)) if self._refine else field


def grid_of(model: ModelConfig) -> GridRule:
    """Grids that a network can work on."""
    with torch.device("meta"):  # no weights are needed for that
        return model.build().grid
