"""Trainings within a training: of networks that are to teach it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from l2r.disk import make_folder
from l2r.errors import TrainingError
from models.training.context import TrainContext
from models.training.guidance.config import GuidanceSchedule
from models.training.guidance.guide import Guide, build_pseudo_labellers
from models.training.guidance.pseudo_labeller import Pretraining, PseudoLabeller


@dataclass(frozen=True)
class TeacherTraining:
    """The training of one teacher's network, a part of the training that it teaches."""

    number: int
    """Place of its term in the training file, counted from 1."""
    pretraining: Pretraining
    when: GuidanceSchedule

    def epochs_before(self, epoch: int) -> int:
        """Epochs that the network has been trained for when it teaches in an epoch.

        Args:
            epoch: of the whole training, counted from 0.
        """
        if not self.pretraining.again:
            return self.pretraining.epochs
        taught = sum(self.when.applies(number, 0.0) for number in range(epoch + 1))
        return taught * self.pretraining.epochs

    def context(self, whole: TrainContext) -> TrainContext:
        """The same images and settings, in a folder within, without guidance or validation.

        Raises:
            OutputError: the folder cannot be made.
        """
        folder = whole.folder / f"teacher-{self.number}"
        make_folder(folder)
        network, config = self.pretraining, whole.config
        changes: dict[str, object] = {
            "model": network.config,
            "epochs": self.epochs_before(config.epochs - 1),
            "guidance": (),
            "ema": None,
        }
        if network.again:  # the learning rate falls as that of the whole training
            changes["schedule"] = config.schedule.stretched(network.epochs)
        own = config.model_copy(update=changes)
        return replace(whole, config=own, folder=folder, validator=None)


def guide_of(context: TrainContext) -> tuple[Guide | None, list[TeacherTraining]]:
    """The guide of a training, if it has one, and the networks that are trained for it.

    Raises:
        TrainingError: a teacher cannot teach several processes.
        WeightsError: the weights of a teacher's network cannot be used.
    """
    config = context.config
    if not config.guidance:
        return None, []
    teachers = build_pseudo_labellers(config, context.processes.device)
    if context.processes.size > 1:
        _refuse_order(teachers)
    trained = [
        TeacherTraining(number, teacher.pretraining, term.when)
        for number, (term, teacher) in enumerate(
            zip(config.guidance, teachers, strict=True), start=1
        )
        if teacher.pretraining is not None
    ]
    return Guide(config, teachers), trained


def _refuse_order(teachers: Sequence[PseudoLabeller]) -> None:
    """Raise TrainingError if a teacher needs the pairs one after the other."""
    if any(teacher.learns_over_pairs for teacher in teachers):
        raise TrainingError(
            "a cascade that learns over pairs sees one pair after the other, which several "
            'processes cannot share; train in one process, or set learns = "each_pair_anew"'
        )
