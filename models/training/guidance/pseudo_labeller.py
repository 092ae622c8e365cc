"""Pseudo-labellers: their input, and the interface of every kind."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from l2r.grid import GridRule
from l2r.schema import Frozen
from models.descent.objective import ImagePair
from models.networks.base import RegistrationModel
from models.networks.catalog import ModelConfig
from models.types import Fields


@dataclass(frozen=True)
class GuidanceInput:
    """One pair, what the network says about it, and when."""

    case: ImagePair
    prediction: Fields
    """Of a batch of one; no gradient passes through it."""
    epoch: int
    """Counted from 0."""
    epochs: int
    """Of the whole training."""
    random: torch.Generator


@dataclass(frozen=True)
class Pretraining:
    """A network that is to be trained before it teaches."""

    network: RegistrationModel
    config: ModelConfig
    epochs: int


class PseudoLabeller(ABC):
    """Gives pseudo ground truth; no answer depends on what it was asked before."""

    @property
    def pretraining(self) -> Pretraining | None:
        """The network to train first, if any."""
        return None

    @abstractmethod
    def __call__(self, item: GuidanceInput) -> Fields:
        """The displacement that the network should have predicted."""


class PseudoLabellerConfig(Frozen, ABC):
    """A teacher in a training file."""

    @property
    def grid(self) -> GridRule:
        """Grids that it can work on."""
        return GridRule()

    @property
    def needs_labels(self) -> bool:
        """True if it uses label maps."""
        return False

    @abstractmethod
    def build(self, device: torch.device) -> PseudoLabeller:
        """The teacher; weights without a file are drawn from torch's generator.

        Raises:
            WeightsError: the weights of its network cannot be used.
        """
