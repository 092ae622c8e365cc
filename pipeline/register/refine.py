"""Refinement: an optimisation that makes the displacement field of one pair better."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from models.descent.loop import LossValues, OptimisationResult
from models.descent.objective import DescentConfig, ImagePair, Refined
from models.losses.dice import one_hot
from models.networks.base import RegistrationModel
from pipeline.register.manifest import LevelRecord, RefinementRecord
from pipeline.register.predict import labels_to_torch
from pipeline.register.records import Predicted

logger = logging.getLogger(__name__)

CPU = torch.device("cpu")


class RefineField:
    """A refinement as a stage; where a GPU's memory is too small, coarser or on the CPU."""

    def __init__(
        self, config: DescentConfig, model: RegistrationModel, device: torch.device
    ) -> None:
        """Check that the refinement suits the network.

        Raises:
            ValueError: it does not.
        """
        self._config, self._model, self._device = config, model, device
        config.refiner(model)

    def __call__(
        self, item: Predicted, generator: torch.Generator, deadline: float | None = None
    ) -> Predicted:
        """Refine the field.

        Args:
            item: the field so far.
            generator: of what is random, on the CPU, so that all devices draw alike.
            deadline: in seconds of `time.monotonic`.

        Raises:
            torch.OutOfMemoryError: no alternative was small enough.
        """
        warnings: list[str] = []
        for words, config, device in self._alternatives(item):
            try:  # each attempt draws the same numbers
                result = self._refined(item, config, device, generator.clone_state(), deadline)
            except torch.OutOfMemoryError:
                warnings.append(f"refining {words} ran out of GPU memory")
                logger.warning("%s: %s", item.prepared.pair.name, warnings[-1])
            else:
                return self._with(item, result, warnings)
            torch.cuda.empty_cache()
        raise torch.OutOfMemoryError(warnings[-1])

    def _alternatives(self, item: Predicted) -> Iterator[tuple[str, DescentConfig, torch.device]]:
        """The best first; each is tried if the ones before ran out of GPU memory."""
        config, device = self._config, self._device
        yield f"on {device}", config, device
        if device.type != "cpu":
            coarser = config.coarser(item.prepared.fixed.shape)
            if coarser is not None:
                yield "at half the resolution", coarser, device
            yield "on the CPU", config, CPU

    def _refined(
        self,
        item: Predicted,
        config: DescentConfig,
        device: torch.device,
        generator: torch.Generator,
        deadline: float | None,
    ) -> Refined:
        self._model.to(device)
        try:
            refine = config.refiner(self._model)
            field = item.field.to(device)
            return refine(_on(item, device), field, deadline=deadline, random=generator)
        finally:
            self._model.to(self._device)

    def _with(self, item: Predicted, result: Refined, warnings: list[str]) -> Predicted:
        """The same pair with the better field and a record of how it came about."""
        return replace(
            item,
            # The layout of a field as it is read from a file: kernels choose their order by it.
            field=result.field.detach().float().to(self._device).contiguous(),
            refinements=(*item.refinements, _record(result, self._config)),
            warnings=(*item.warnings, *warnings),
        )


def _on(item: Predicted, device: torch.device) -> ImagePair:
    """The image pair on a device, with its label maps if it has any."""
    labels = None
    if item.prepared.labels is not None:
        fixed, moving = (labels_to_torch(volume, device) for volume in item.prepared.labels)
        labels = one_hot(fixed, moving)
    images = item.images
    anatomy = images.anatomy and images.anatomy.to(device)
    return ImagePair(images.fixed.to(device), images.moving.to(device), labels, anatomy)


def _record(result: Refined, config: DescentConfig) -> RefinementRecord:
    levels = tuple(_level(level) for level in result.history)
    improved = any(
        (level.best_step or 0) > 0 or (config.keep == "last" and level.steps > 0)
        for level in levels
    )
    return RefinementRecord(levels=levels, improved=improved)


def _level(result: OptimisationResult) -> LevelRecord:
    """The summary of a level."""
    losses = result.losses
    return LevelRecord(
        steps=max(len(losses) - 1, 0),
        skipped=result.skipped,
        stopped=result.stopped,
        best_step=result.best if losses else None,
        losses_at_start=dict(losses[0]) if losses else {},
        losses_at_best=dict(losses[result.best]) if losses else {},
        losses=_curves(losses),
        cosines=tuple(round(cosine, 5) for cosine in result.smallest_cosines),
        seconds=round(result.seconds, 3),
        conflict_rate=result.conflict_rate,
        mean_cosine=result.mean_cosine,
    )


def _curves(losses: Sequence[LossValues]) -> dict[str, tuple[float, ...]]:
    """Six digits of each loss at each iterate: what a plot shows, in a third of the bytes."""
    names = losses[0] if losses else ()
    return {name: tuple(float(f"{values[name]:.6g}") for values in losses) for name in names}
