"""Instance optimisation of a network's weights: the network is overfitted to one pair.

Source:
    Tian et al. (2024), uniGradICON, arXiv:2403.05780.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import nn
from torch.optim import Optimizer

from models.descent.loop import StopConditions, descend
from models.descent.objective import DescentConfig, ImagePair, Refined, Refiner
from models.descent.transform import NetworkTransform
from models.losses.catalog import Similarity
from models.losses.lncc_gaussian import LnccGaussian
from models.networks.base import MapModel, RegistrationModel
from models.optim.combine import Losses
from models.types import Fields


class WeightOptimisationConfig(DescentConfig):
    """A descent on the weights of the run's network, which are as before when it has ended.

    The images are compared on the network's own grid and as it prepares them.
    """

    predicts_anew: ClassVar[bool] = True

    name: Literal["weight_optimisation"] = "weight_optimisation"
    similarity: Similarity = LnccGaussian()
    steps: PositiveInt
    learning_rate: PositiveFloat
    batch_norm: Literal["frozen", "adapting"] = "frozen"
    """Frozen: running statistics as they were trained. Adapting: those of the pair, which also move
    the running ones that the final prediction uses; published LUMIR figures were made so."""

    def build(self, model: RegistrationModel) -> "WeightOptimisation":
        """For a network that has weights.

        Raises:
            ValueError: it has none.
        """
        if next(model.parameters(), None) is None:
            raise ValueError("the network has no weights that could be optimised")
        if self.label_weight is not None and isinstance(model, MapModel):
            raise ValueError(
                "the network compares images on a grid of its own, where there are no label maps; "
                "leave label_weight out"
            )
        return WeightOptimisation(self, model)

    def refiner(self, model: RegistrationModel) -> Refiner:
        optimise = self.build(model)

        def refine(
            pair: ImagePair,
            prediction: Fields,  # noqa: ARG001 - the network predicts anew
            *,
            deadline: float | None = None,
            random: torch.Generator | None = None,
        ) -> Refined:
            return optimise(pair, deadline=deadline, random=random)

        return refine


class WeightOptimisation:
    """Predict anew for one pair, see `WeightOptimisationConfig`."""

    def __init__(self, config: WeightOptimisationConfig, model: RegistrationModel) -> None:
        self._config, self._model = config, model

    def __call__(
        self,
        pair: ImagePair,
        *,
        deadline: float | None = None,
        random: torch.Generator | None = None,
    ) -> Refined:
        """Optimise until the last step or the deadline, and predict with the best weights.

        Args:
            pair: images on the grid of the field.
            deadline: in seconds of `time.monotonic`.
            random: what stochastic terms and combinations draw from, on the CPU.
        """
        with as_before(self._model):
            return self.learn(pair, self.optimiser(), deadline=deadline, random=random)

    def optimiser(self) -> Optimizer:
        """Make an optimiser of the network's weights, with fresh moments."""
        config = self._config
        return config.optimiser.build(list(self._model.parameters()), config.learning_rate)

    def learn(
        self,
        pair: ImagePair,
        optimiser: Optimizer,
        *,
        deadline: float | None = None,
        random: torch.Generator | None = None,
    ) -> Refined:
        """Do the same, and leave the weights as the pair has taught them.

        Args:
            pair: images on the grid of the field.
            optimiser: of the network's weights, whose moments go on.
            deadline: in seconds of `time.monotonic`.
            random: what stochastic terms and combinations draw from, on the CPU.
        """
        config, model, random = self._config, self._model, random or torch.Generator()
        seen = as_seen(model, pair)
        objective = config.bind(seen, config.similarity, random)
        parameters = list(model.parameters())

        def losses() -> Losses:
            return objective(NetworkTransform(model, seen.fixed, seen.moving))

        adapt(model, adapting=config.batch_norm == "adapting")
        descent = descend(
            parameters,
            config.goal(losses, random),
            optimiser,
            StopConditions(config.steps, deadline, config.convergence),
            buffers=list(model.buffers()),
        )
        adapt(model, adapting=False)
        with torch.no_grad():
            field = model(pair.fixed, pair.moving)
        return Refined(field, (descent,))


def as_seen(model: RegistrationModel, pair: ImagePair) -> ImagePair:
    """The pair on the grid that the network compares images on, prepared as it wants them."""
    if isinstance(model, MapModel):
        fixed, moving = model.prepared(pair.fixed), model.prepared(pair.moving)
        return ImagePair(fixed, moving, anatomy=pair.anatomy)
    return pair


def adapt(model: nn.Module, *, adapting: bool) -> None:
    """Switch batch normalisation between the statistics of its input and those of training."""
    for part in model.modules():
        if isinstance(part, nn.BatchNorm3d):
            part.train(adapting)


@contextmanager
def as_before(model: nn.Module) -> Iterator[None]:
    """Restore weights and statistics, bit by bit, at the end of a block."""
    state = [*model.parameters(), *model.buffers()]
    kept = [tensor.detach().clone() for tensor in state]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, before in zip(state, kept, strict=True):
                tensor.copy_(before)
        model.zero_grad()
