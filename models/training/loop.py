"""The loop: epochs of steps, validation, checkpoints."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import UInt8

from l2r.disk import make_folder
from l2r.errors import TrainingError
from models.networks.base import RegistrationModel
from models.training.config import TrainConfig
from models.training.dataset import Source, drawn
from models.training.distributed import World
from models.training.guidance.guide import Guide, engaged
from models.training.guidance.teacher import Teacher
from models.training.loader import Batches
from models.training.logging import EpochNews, Journal, StepNews
from models.training.state import BEST, LAST, export, load_state, save_state
from models.training.step import Objective, Stepper

Finished: TypeAlias = Literal["finished", "stopped"]

SAVE_EVERY_S = 600.0
_MOST_SKIPPED = 10
"""Steps in a row without a finite gradient; more, and the training has diverged."""


class Scores(NamedTuple):
    """What else is said of a network."""

    values: dict[str, float]
    picture: UInt8[np.ndarray, "height width 3"] | None = None


@dataclass(frozen=True)
class Judge:
    """How good weights are; the ones with the lowest mean loss over the pairs are kept."""

    pairs: Source
    score: Callable[[RegistrationModel], Scores]
    """Scores of a network in evaluation mode, for people."""


def never() -> bool:
    """When a training of all epochs is stopped."""
    return False


@dataclass(frozen=True)
class Given:
    """What a training works with."""

    config: TrainConfig
    source: Source
    folder: Path
    """Is there, and may be written to."""
    world: World
    settings: str
    """Everything that decides the weights; a checkpoint of others is refused."""
    judge: Judge | None = None
    stop: Callable[[], bool] = never
    """Asked after each step, whether to save and leave."""


def fit(model: RegistrationModel, given: Given, journals: Sequence[Journal] = ()) -> Finished:
    """Train, from where the folder's checkpoint says or from the beginning.

    Teachers that have to learn first do so in folders of their own within.

    Args:
        model: is changed; what `fit` leaves in it are the last weights.
        given: says how.
        journals: are told of steps and epochs.

    Raises:
        TrainingError: a checkpoint cannot be used, there are too few samples for a step, or the
            losses are not finite any more; the last checkpoint is good.
        ImageError: an image cannot be used; the last checkpoint is good.
        OutputError: the folder cannot be written to; the last checkpoint is good.
    """
    try:
        guide = _guide(given, journals)
        if guide == "stopped":
            return "stopped"
        return _Training(model.to(given.world.device), given, journals, guide).run()
    finally:
        for journal in journals:
            journal.close()


def _guide(given: Given, journals: Sequence[Journal]) -> Guide | Literal["stopped"] | None:
    """Who guides the training, if anyone, when all teachers have learned what they teach."""
    if not given.config.guidance:
        return None
    teachers = engaged(given.config, given.world.device)
    for number, teacher in enumerate(teachers, start=1):
        folder = given.folder / f"teacher-{number}"
        if _trained(teacher, folder, given, journals) == "stopped":
            return "stopped"
    return Guide(given.config, teachers)


def _trained(teacher: Teacher, folder: Path, given: Given, journals: Sequence[Journal]) -> Finished:
    """Train the network of a teacher where it needs that, from its own checkpoint on."""
    pupil = teacher.pupil
    if pupil is None:
        return "finished"
    make_folder(folder)
    changes = {"model": pupil.config, "epochs": pupil.epochs, "guidance": (), "ema": None}
    own = replace(given, config=given.config.model_copy(update=changes), folder=folder, judge=None)
    return fit(pupil.network, own, [journal.of_part(folder) for journal in journals])


class _Training:
    def __init__(
        self,
        model: RegistrationModel,
        given: Given,
        journals: Sequence[Journal],
        guide: Guide | None,
    ) -> None:
        self._given, self._config, self._guide = given, given.config, guide
        self._journals = journals if given.world.leads else ()
        self._names = given.config.losses
        self._stepper = Stepper(given.config, model, given.world, guide)
        self._position = load_state(given.folder, self._stepper, given.settings)
        self._batches = Batches(given.source, given.config, given.world)
        if self._batches.steps == 0:
            raise TrainingError(
                f"{len(given.source)} samples are too few for a step of {self._batches.samples}; "
                "lower batch or accumulate, or add images"
            )
        self._saved = time.monotonic()

    def run(self) -> Finished:
        """Epochs from where the training stands to the last, unless it is stopped before."""
        while self._position.epoch < self._config.epochs:
            stopped = self._epoch()
            if self._position.step < self._batches.steps:
                self._save()
                return "stopped"
            self._close_epoch()
            if stopped and self._position.epoch < self._config.epochs:
                return "stopped"
        return "finished"

    def _close_epoch(self) -> None:
        news = self._judged()
        self._position.next_epoch()
        self._save()
        if self._given.world.leads:
            export(self._given.folder / LAST, self._stepper.result)
        for journal in self._journals:
            journal.epoch(news)

    @property
    def _rate(self) -> float:
        config = self._config
        return config.schedule.rate(config.learning_rate, self._position.epoch, config.epochs)

    def _epoch(self) -> bool:
        """The steps that are left of it, unless it is stopped before; whether it is."""
        position, world = self._position, self._given.world
        self._stepper.set_rate(self._rate)
        self._stepper.objective.train()
        for cases, waited in self._batches.of(position.epoch, position.step):
            numbers = (self._config.seed, position.epoch, position.step, world.rank)
            if self._guide is not None:
                self._guide.turn_to(position.epoch, position.step)
            losses = self._stepper(cases, *numbers)
            self._count(losses)
            self._tell_step(losses, waited)
            overdue = time.monotonic() - self._saved > SAVE_EVERY_S
            stop, save = world.any(self._given.stop(), overdue)
            if stop:
                return True
            if save:
                self._save()
        return False

    def _count(self, losses: tuple[float, ...] | None) -> None:
        self._position.count(losses)
        if self._position.in_a_row > _MOST_SKIPPED:
            raise TrainingError(
                f"epoch {self._position.epoch + 1}: {self._position.in_a_row} steps in a row had "
                "no finite gradient; lower learning_rate, or set clip_norm"
            )

    def _tell_step(self, losses: tuple[float, ...] | None, waited_s: float) -> None:
        position = self._position
        named = None if losses is None else dict(zip(self._names, losses, strict=True))
        news = StepNews(position.epoch, position.step, self._batches.steps, named, waited_s)
        for journal in self._journals:
            journal.step(news)

    def _judged(self) -> EpochNews:
        """What the epoch and the judge say; the best weights are exported."""
        position, judge = self._position, self._given.judge
        training = dict(zip(self._names, self._given.world.mean(position.means), strict=True))
        news = EpochNews(position.epoch, self._config.epochs, self._rate, training)
        if judge is None or not self._given.world.leads:
            return news
        model = self._stepper.result.eval()
        news.validation = self._mean_losses(judge.pairs)
        loss = sum(news.validation.values())
        if position.best is None or loss < position.best:
            position.best, news.best = loss, True
            export(self._given.folder / BEST, model)
        news.scores, news.picture = judge.score(model)
        return news

    def _mean_losses(self, pairs: Source) -> dict[str, float]:
        """Of the objective, whether the steps are guided or not."""
        names = self._config.objective.objectives
        objective = Objective(self._stepper.result, self._config).eval()
        sums = torch.zeros(len(names), dtype=torch.float64)
        for number in range(len(pairs)):
            case = pairs.make(pairs.read(0, number), self._given.world.device)
            with torch.no_grad():
                losses = objective(case, drawn(self._config.seed, number))
            sums += torch.stack([loss.double().cpu() for loss in losses]) / len(pairs)
        return dict(zip(names, sums.tolist(), strict=True))

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._given.world.leads:
            given = self._given
            save_state(given.folder, self._stepper, self._position, given.settings)
