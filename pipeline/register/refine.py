"""Refinements: each makes the displacement field of one pair better."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import torch

from l2r.prepare import Prepared
from models.descent.field import InstanceOptimisationConfig
from models.descent.loop import OptimisationResult
from models.descent.objective import ImagePair, Refined
from models.descent.weights import WeightOptimisationConfig
from models.losses.dice import one_hot
from models.networks.base import RegistrationModel
from pipeline.register.predict import field_to_torch, labels_to_torch, to_numpy, to_torch
from pipeline.register.stage import Predicted

logger = logging.getLogger(__name__)

CPU = torch.device("cpu")
Way: TypeAlias = tuple[str, Callable[[], Refined]]
"""How something is refined, in words, and the doing of it."""


class Refinement(ABC):
    """A descent on one pair as a stage; where a GPU's memory is too small, in another way."""

    def __init__(self, objectives: tuple[str, ...], device: torch.device) -> None:
        self._objectives, self._device = objectives, device

    def __call__(self, item: Predicted, /) -> Predicted:
        warnings = []
        for way, refine in self.ways(item):
            try:
                result = refine()
            except torch.OutOfMemoryError:
                warnings.append(f"refining {way} ran out of GPU memory")
                logger.warning("%s: %s", item.prepared.pair.name, warnings[-1])
            else:
                return item.refined(to_numpy(result.field), self._summary(result), warnings)
            torch.cuda.empty_cache()
        raise torch.OutOfMemoryError(warnings[-1])

    @abstractmethod
    def ways(self, item: Predicted) -> Iterator[Way]:
        """The best first; each is tried if the ones before ran out of GPU memory."""

    def case(self, prepared: Prepared, device: torch.device) -> ImagePair:
        """The pair as descents want it."""
        labels = None
        if prepared.labels is not None:
            fixed, moving = (labels_to_torch(found, device) for found in prepared.labels)
            labels = one_hot(fixed, moving)
        return ImagePair(
            to_torch(prepared.fixed, device), to_torch(prepared.moving, device), labels
        )

    def random(self) -> torch.Generator:
        """On the CPU, so that all devices draw alike; with the run's seed."""
        return torch.Generator().manual_seed(torch.initial_seed())

    def _summary(self, result: Refined) -> dict[str, object]:
        return {"levels": [_summary(descent, self._objectives) for descent in result.course]}


class RefineField(Refinement):
    """Instance optimisation of a deformation that follows the prediction."""

    def __init__(self, config: InstanceOptimisationConfig, device: torch.device) -> None:
        super().__init__(config.objectives, device)
        self._config = config

    def ways(self, item: Predicted) -> Iterator[Way]:
        fine, coarse, device = self._config, self._config.halved, self._device
        yield f"on {device}", lambda: self._refine(item, fine, device)
        if device.type != "cpu":
            if not coarse.grid.problem(item.prepared.fixed.shape):
                yield "at half the resolution", lambda: self._refine(item, coarse, device)
            yield "on the CPU", lambda: self._refine(item, fine, CPU)

    def _refine(
        self, item: Predicted, config: InstanceOptimisationConfig, device: torch.device
    ) -> Refined:
        return config.build()(
            self.case(item.prepared, device),
            field_to_torch(item.vectors, device),
            deadline=item.deadline,
            random=self.random(),
        )


class RefineWeights(Refinement):
    """Instance optimisation of the network's weights, which predict anew."""

    def __init__(
        self, config: WeightOptimisationConfig, model: RegistrationModel, device: torch.device
    ) -> None:
        super().__init__(config.objectives, device)
        self._model, self._optimise = model, config.build(model)

    def ways(self, item: Predicted) -> Iterator[Way]:
        yield f"on {self._device}", lambda: self._refine(item, self._device)
        if self._device.type != "cpu":
            yield "on the CPU", lambda: self._refine(item, CPU)

    def _refine(self, item: Predicted, device: torch.device) -> Refined:
        self._model.to(device)
        try:
            return self._optimise(
                self.case(item.prepared, device),
                deadline=item.deadline,
                random=self.random(),
            )
        finally:
            self._model.to(self._device)


def _summary(descent: OptimisationResult, names: tuple[str, ...]) -> Mapping[str, object]:
    """A descent without its whole course."""
    summary: dict[str, object] = {
        "steps": max(len(descent.losses) - 1, 0),
        "skipped": descent.skipped,
        "stopped": descent.stopped,
    }
    if descent.losses:
        start, best = (dict(zip(names, descent.losses[i], strict=True)) for i in (0, descent.best))
        summary |= {"best_step": descent.best, "losses_at_start": start, "losses_at_best": best}
    if descent.cosines:
        smallest = [min(step) for step in descent.cosines]
        summary |= {
            "conflict_rate": descent.conflict_rate,
            "mean_cosine": sum(smallest) / len(smallest),
        }
    return summary
