"""The loop: epochs of steps, validation, checkpoints."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from math import isfinite
from typing import Any, Literal, TypeAlias

import torch

from l2r.errors import TrainingError
from models.networks.base import RegistrationModel
from models.optim.combine import Losses
from models.training.context import TrainContext, ValidationScores
from models.training.dataset import Dataset, generator
from models.training.guidance.guide import Guide
from models.training.loader import Loader
from models.training.logging import EpochLog, Logger, StepLog
from models.training.memory import peak_memory_gib
from models.training.state import (
    BEST,
    LAST,
    Progress,
    export,
    load_state,
    restore,
    save_state,
    snapshot,
)
from models.training.step import Objective, TrainStep, mean_losses
from models.training.teachers import TeacherTraining, guide_of

Finished: TypeAlias = Literal["finished", "stopped"]

SAVE_EVERY_S = 600.0
_MOST_SKIPPED = 10
"""Steps in a row without a finite gradient; more, and the training has diverged."""


def fit(
    model: RegistrationModel, context: TrainContext, loggers: Sequence[Logger] = ()
) -> Finished:
    """Train, from where the folder's checkpoint says or from the beginning.

    Networks that teach are trained in folders of their own within; the checkpoint has them too.

    Args:
        model: is changed; what `fit` leaves in it are the last weights.
        context: data, settings, folder.
        loggers: are told of steps and epochs.

    Raises:
        TrainingError: a checkpoint cannot be used, there are too few samples for a step, or the
            losses are not finite any more; the last checkpoint is good.
        ImageError: an image cannot be used; the last checkpoint is good.
        OutputError: the folder cannot be written to; the last checkpoint is good.
    """
    with ExitStack() as opened:
        for logger in loggers:
            opened.enter_context(closing(logger))
        guide, trained = guide_of(context)
        training = _Training(model.to(context.processes.device), context, loggers, guide)
        for part in trained:
            own = part.context(context)
            parts = [logger.for_part(own.folder) for logger in loggers]
            for logger in parts:
                opened.enter_context(closing(logger))
            training.follow(part, own, parts)
        training.restore(load_state(context.folder, context.settings))
        return training.run(context.config.epochs)


class _Training:
    def __init__(
        self,
        model: RegistrationModel,
        context: TrainContext,
        loggers: Sequence[Logger],
        guide: Guide | None = None,
        whole: "_Training | None" = None,
    ) -> None:
        """`whole`: the training of which this one is a part, in whose checkpoint it is saved."""
        self._context, self._config, self._guide = context, context.config, guide
        self._whole = whole
        self._teachers: list[tuple[TeacherTraining, _Training]] = []
        self._loggers = loggers if context.processes.is_main else ()
        self._names = context.config.losses
        self._train_step = TrainStep(context.config, model, context.processes, guide)
        self._progress = Progress()
        self._loader = Loader(context.dataset, context.config, context.processes)
        if self._loader.steps == 0:
            raise TrainingError(
                f"{len(context.dataset)} samples are too few for a step of {self._loader.samples}; "
                "lower batch or accumulate, or add images"
            )
        self._saved = time.monotonic()

    def follow(
        self, part: TeacherTraining, context: TrainContext, loggers: Sequence[Logger]
    ) -> None:
        """Train a teacher's network too, whenever it is due before an epoch."""
        network = part.pretraining.network
        self._teachers.append((part, _Training(network, context, loggers, whole=self)))

    @property
    def state(self) -> dict[str, Any]:
        """Weights, moments and place of the training and of all teachers, for a checkpoint."""
        guidance = [] if self._guide is None else self._guide.state
        trained = [training.state for _, training in self._teachers]
        own = snapshot(self._train_step, self._progress)
        return own | {"guidance": guidance, "teachers": trained}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Go on from a checkpoint, or begin if there is none."""
        if state is None:
            return
        self._progress = restore(self._train_step, state)
        if self._guide is not None:
            self._guide.restore(state["guidance"])
        for (_, training), own in zip(self._teachers, state.get("teachers", ()), strict=True):
            training.restore(own)

    def run(self, epochs: int) -> Finished:
        """Train from where the training stands to the end of an epoch, unless stopped before."""
        while self._progress.epoch < epochs:
            if self._update_teachers() == "stopped":
                return "stopped"
            stopped = self._epoch()
            if self._progress.step < self._loader.steps:
                self._save()
                return "stopped"
            self._close_epoch()
            if stopped and self._progress.epoch < epochs:
                return "stopped"
        return "finished"

    def _update_teachers(self) -> Finished:
        """Train the networks that have to learn before they teach in this epoch."""
        for part, training in self._teachers:
            if training.run(part.epochs_before(self._progress.epoch)) == "stopped":
                return "stopped"
        return "finished"

    def _close_epoch(self) -> None:
        """Validate, save and report an epoch, unless the training has diverged in it."""
        if self._progress.taken == 0:
            raise self._diverged(f"none of its {self._loader.steps} steps had a finite gradient")
        news = self._judged()
        self._refuse_divergence(news.validation)
        self._progress.next_epoch()
        self._save()
        if self._context.processes.is_main:
            export(self._context.folder / LAST, self._train_step.result)
        for logger in self._loggers:
            logger.epoch(news)

    @property
    def _rate(self) -> float:
        config = self._config
        return config.schedule.rate(config.learning_rate, self._progress.epoch, config.epochs)

    def _epoch(self) -> bool:
        """The steps that are left of it, unless it is stopped before; whether it is."""
        progress, processes = self._progress, self._context.processes
        self._train_step.set_rate(self._rate)
        self._train_step.objective.train()
        began = time.monotonic()
        for cases, waited in self._loader.batches(progress.epoch, progress.step):
            numbers = (self._config.seed, progress.epoch, progress.step, processes.rank)
            if self._guide is not None:
                self._guide.start_step(progress.epoch, progress.step)
            losses = self._train_step(cases, *numbers)
            seconds, began = time.monotonic() - began, time.monotonic()
            self._count(losses, seconds)
            self._tell_step(losses, waited, seconds)
            overdue = time.monotonic() - self._saved > SAVE_EVERY_S
            stop, save = processes.any(self._context.stop(), overdue)
            if stop:
                return True
            if save:
                self._save()
        return False

    def _count(self, losses: dict[str, float] | None, seconds: float) -> None:
        self._progress.count(losses, self._train_step.parts, seconds)
        if self._progress.in_a_row > _MOST_SKIPPED:
            raise self._diverged(f"{self._progress.in_a_row} steps in a row had no finite gradient")

    def _diverged(self, found: str) -> TrainingError:
        """Build the message; nothing of the diverged epoch is exported, and resuming repeats it."""
        last = self._context.folder / LAST
        kept = f"; the weights of the epoch before are in {last}" if last.is_file() else ""
        return TrainingError(
            f"epoch {self._progress.epoch + 1}: {found}; lower learning_rate, or set clip_norm, "
            f"and begin again with another --output (--resume would end here again){kept}"
        )

    def _refuse_divergence(self, validation: dict[str, float]) -> None:
        """Raise TrainingError if the weights that the epoch leaves give losses that are not finite.

        Without validation one training sample is looked at: the last step may have been the one
        that diverged, whose own losses were finite. All processes end, not only the one that saw.
        """
        diverged = False
        if self._context.processes.is_main:
            losses = validation or self._loss_of(self._context.dataset, 0)[0]
            diverged = not all(map(isfinite, losses.values()))
        if any(self._context.processes.any(diverged)):
            raise self._diverged("its last weights give losses that are not finite")

    def _tell_step(self, losses: dict[str, float] | None, waited_s: float, seconds: float) -> None:
        progress, parts = self._progress, self._train_step.parts
        numbers = (progress.epoch, progress.step, self._loader.steps)
        news = StepLog(*numbers, losses, waited_s, seconds, parts)
        for logger in self._loggers:
            logger.step(news)

    def _judged(self) -> EpochLog:
        """Collect losses and scores of the epoch, and export the best weights."""
        progress, validator = self._progress, self._context.validator
        news = self._trained()
        if validator is None or not self._context.processes.is_main:
            return news
        model = self._train_step.result.eval()
        news.validation, news.validation_parts = self._mean_losses(validator.pairs)
        scores = validator.score(model)
        news.scores, news.picture = scores.values, scores.picture
        rank = self._rank(news.validation, scores)
        if isfinite(rank) and (progress.best is None or rank < progress.best):
            progress.best, news.best = rank, True
            export(self._context.folder / BEST, model)
        return news

    def _rank(self, losses: dict[str, float], scores: ValidationScores) -> float:
        """Number that is the lowest for the best epoch."""
        if self._config.best_by == "objective":
            return sum(losses.values())
        if scores.dice is None:
            raise TrainingError(
                'best_by = "dice": the validation pairs have no label maps; add them, or leave '
                "best_by out"
            )
        return -scores.dice

    def _trained(self) -> EpochLog:
        """Collect the steps of the epoch."""
        progress, processes = self._progress, self._context.processes
        return EpochLog(
            progress.epoch,
            self._config.epochs,
            self._rate,
            processes.mean(progress.means(self._names)),
            training_parts=processes.mean(progress.mean_parts),
            seconds_per_step=progress.seconds / progress.step,
            peak_memory_gib=peak_memory_gib(processes.device),
        )

    def _mean_losses(self, pairs: Dataset) -> tuple[dict[str, float], dict[str, float]]:
        """Mean losses of the objective, whether the steps are guided or not, and mean parts."""
        found = [self._loss_of(pairs, number) for number in range(len(pairs))]
        return mean_losses([losses for losses, _ in found]), mean_losses([p for _, p in found])

    def _loss_of(self, pairs: Dataset, number: int) -> tuple[dict[str, float], dict[str, float]]:
        """Losses of one sample, and the parts of a summed similarity.

        There is no guidance, and no change of the network.
        """
        objective = Objective(self._train_step.result, self._config).eval()
        case = pairs.read(0, number)(self._context.processes.device)
        with torch.no_grad():
            losses = objective(case, generator(self._config.seed, number))
        return _floats(losses), _floats(objective.similarity.values)

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._whole is not None:
            self._whole._save()  # noqa: SLF001 - of the same class
        elif self._context.processes.is_main:
            save_state(self._context.folder, self._context.settings, self.state)


def _floats(losses: Losses) -> dict[str, float]:
    return {name: float(loss) for name, loss in losses.items()}
