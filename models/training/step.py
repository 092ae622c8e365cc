"""One step of a training: losses, their mean over processes, and the change of the weights."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import cast

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from l2r.errors import TrainingError
from models.descent.objective import ImagePair
from models.descent.transform import NetworkTransform, VelocityTransform
from models.descent.weights import as_seen
from models.losses.parts import SimilarityParts
from models.networks.base import RegistrationModel, VelocityModel
from models.optim.combine import Losses, to_floats, total
from models.training.config import TrainConfig
from models.training.dataset import derive_seed, generator
from models.training.distributed import DistributedContext
from models.training.guidance.guide import Guide
from models.training.passes import TaughtPasses


class Objective(nn.Module):
    """The losses of a batch as one module, so that processes find each other in its backward."""

    def __init__(
        self, model: RegistrationModel, config: TrainConfig, guide: Guide | None = None
    ) -> None:
        """`guide`: None where nothing but the training's own objective counts."""
        super().__init__()
        self.model, self.guide = model, guide
        self._terms, self._half = config.objective, config.precision == "bfloat16"
        self._taught = TaughtPasses(model, config) if config.in_pieces else None
        self.similarity = SimilarityParts(self._terms.similarity)
        """Of the last batch; the parts of a sum are read from it."""

    def forward(self, case: ImagePair, random: torch.Generator) -> Losses:
        """Losses of a batch by name, weights included."""
        self.similarity = SimilarityParts(self._terms.similarity)
        case = as_seen(self.model, case)
        if self._taught is not None:
            piece, case = self._taught(case, random)
            return self._terms.bind(case, self.similarity, random)(piece)
        transform = self._transform(case)
        if self.guide is not None:
            return self.guide(transform, case, self.similarity, random)
        return self._terms.bind(case, self.similarity, random)(transform)

    def _transform(self, case: ImagePair) -> NetworkTransform:
        if self._terms.smooth == "displacement":
            return NetworkTransform(self.model, case.fixed, case.moving, half=self._half)
        if not isinstance(self.model, VelocityModel):
            raise TrainingError(
                f"objective.smooth = {self._terms.smooth!r}: {type(self.model).__name__} has no "
                'velocities; leave it at "displacement"'
            )
        last = self._terms.smooth == "last_velocity"
        return VelocityTransform(self.model, case.fixed, case.moving, last=last, half=self._half)


class TrainStep:
    """A network with its optimiser."""

    def __init__(
        self,
        config: TrainConfig,
        model: RegistrationModel,
        processes: DistributedContext,
        guide: Guide | None = None,
    ) -> None:
        """Raises TrainingError if the network has no weights."""
        self._config = config
        freeze_unused(model)
        self.objective = Objective(model, config, guide)
        self._apart: nn.Module = self.objective
        if processes.size > 1:
            self._apart = DistributedDataParallel(self.objective)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise TrainingError(f"network {config.model.name!r} has no weights to train")
        self.optimiser: Optimizer = config.optimiser.build(self.parameters, config.learning_rate)
        self.averaged = None if config.ema is None else _averaged(model, config.ema)
        self.parts: dict[str, float] = {}
        """Of a summed similarity, each without its weight, as the last step found them."""

    def __call__(self, cases: list[ImagePair], *numbers: int) -> dict[str, float] | None:
        """Descend once on the mean of some batches.

        Args:
            cases: as many batches as are accumulated.
            numbers: what all randomness of the step follows from.

        Returns:
            The mean of each loss; None where it or the gradient was not finite, which left the
            weights as they were.
        """
        torch.manual_seed(derive_seed(*numbers))
        random = generator(*numbers)
        self.optimiser.zero_grad(set_to_none=True)
        computed: list[Losses] = []
        parts: list[Losses] = []
        for case in cases:
            losses = self._apart(case, random)
            torch.autograd.backward(total(losses) / len(cases))
            computed.append({name: loss.detach() for name, loss in losses.items()})
            parts.append(self.objective.similarity.values)
        limit = self._config.clip_norm or float("inf")
        norm = nn.utils.clip_grad_norm_(self.parameters, limit)
        values = [loss for losses in (*computed, *parts) for loss in losses.values()]
        # Read together: a GPU is waited for once, when all of the step but its last part is begun.
        norm_value, *rest = to_floats([norm, *values])
        if not isfinite(norm_value):  # the same number in all processes
            return None
        self.optimiser.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.objective.model)
        floats = iter(rest)
        found = mean_losses([{name: next(floats) for name in losses} for losses in computed])
        self.parts = mean_losses([{name: next(floats) for name in losses} for losses in parts])
        return found

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of every weight."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    @property
    def result(self) -> RegistrationModel:
        """The network that is validated and exported."""
        if self.averaged is None:
            return self.objective.model
        return cast("RegistrationModel", self.averaged.module)


def _averaged(model: RegistrationModel, kept: float) -> AveragedModel:
    average = get_ema_multi_avg_fn(kept)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


def mean_losses(several: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each loss."""
    sums = dict.fromkeys(several[0], 0.0)
    for losses in several:
        for name, loss in losses.items():
            sums[name] += loss / len(several)
    return sums


def freeze_unused(model: RegistrationModel) -> None:
    """Weights that are only there for old files get no gradient, and need none."""
    for name, parameter in model.named_parameters():
        if name.startswith(model.unused):
            parameter.requires_grad = False
