"""Settings, data and folder of a training, and what validates it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from models.networks.base import RegistrationModel
from models.training.config import TrainConfig
from models.training.dataset import Dataset
from models.training.distributed import DistributedContext


class ValidationScores(NamedTuple):
    """Scores of a network on the validation pairs, and a picture."""

    values: dict[str, float]
    picture: UInt8[np.ndarray, "height width 3"] | None = None
    dice: float | None = None
    """Mean Dice, which is one of `values`; None for pairs without label maps."""


@dataclass(frozen=True)
class Validator:
    """Validation pairs, by which the best weights are chosen."""

    pairs: Dataset
    score: Callable[[RegistrationModel], ValidationScores]
    """Scores of a network in evaluation mode, for people."""


def never() -> bool:
    """Stop at no step: all epochs are trained."""
    return False


@dataclass(frozen=True)
class TrainContext:
    """Settings, data and folder of a training."""

    config: TrainConfig
    dataset: Dataset
    folder: Path
    """Is there, and may be written to."""
    processes: DistributedContext
    settings: str
    """Everything that decides the weights; a checkpoint of others is refused."""
    validator: Validator | None = None
    stop: Callable[[], bool] = never
    """Asked after each step, whether to save and leave."""
