"""Pseudo-labellers: their input, and the interface of every kind."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

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
    """A network that is trained before it teaches, on the same images and without guidance."""

    network: RegistrationModel
    config: ModelConfig
    epochs: int
    again: bool = False
    """Before every epoch that it teaches, and not only before the first."""


class PseudoLabeller(ABC):
    """Gives pseudo ground truth."""

    @property
    def pretraining(self) -> Pretraining | None:
        """The network to train, if any."""
        return None

    @property
    def learns_over_pairs(self) -> bool:
        """True if what it teaches depends on the pairs before, in their order."""
        return False

    @property
    def state(self) -> dict[str, Any]:
        """Knowledge from the pairs so far, for a checkpoint."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027 - most learn nothing
        """Take up what it had learnt when `state` was saved."""

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
