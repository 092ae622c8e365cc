"""The losses of a guided training: a lesson's in its steps, the objective's in all others."""

from collections.abc import Sequence
from typing import Any

import torch

from models.descent.objective import ImagePair
from models.descent.transform import NetworkTransform
from models.losses.parts import Comparison
from models.optim.combine import Losses
from models.training.config import TrainConfig
from models.training.dataset import Stream, derive_seed, generator, unbatch
from models.training.guidance.config import GUIDANCE, GuidanceTerm
from models.training.guidance.pseudo_labeller import GuidanceInput, PseudoLabeller
from models.types import Fields


class Guide:
    """Knows whose turn it is."""

    def __init__(self, config: TrainConfig, teachers: Sequence[PseudoLabeller]) -> None:
        """`teachers`: of the training's lessons, ready to teach."""
        self._config, self._teachers = config, teachers
        self._turn: tuple[GuidanceTerm, PseudoLabeller] | None = None
        self._epoch = 0

    @property
    def state(self) -> list[dict[str, Any]]:
        """Knowledge of each teacher from the pairs so far, for a checkpoint."""
        return [teacher.state for teacher in self._teachers]

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Give each teacher what it had learnt."""
        for teacher, state in zip(self._teachers, states, strict=True):
            teacher.restore(state)

    def start_step(self, epoch: int, step: int) -> None:
        """From now on the losses are those of this step, in every process the same kind."""
        random = generator(self._config.seed, epoch, step, Stream.GUIDANCE)
        chances = torch.rand(len(self._teachers), generator=random).tolist()
        terms = zip(self._config.guidance, self._teachers, chances, strict=True)
        turns = (part[:2] for part in terms if part[0].when.applies(epoch, part[2]))
        self._turn, self._epoch = next(turns, None), epoch

    def __call__(
        self,
        transform: NetworkTransform,
        case: ImagePair,
        similarity: Comparison,
        random: torch.Generator,
    ) -> Losses:
        """Every loss of the training, weights included; those that do not count are 0."""
        if self._turn is None:
            found = dict(self._config.objective.bind(case, similarity, random)(transform))
        else:
            term, teacher = self._turn
            truth = self._truth(teacher, transform.displacement.detach(), case, random)
            found = {}
            if term.similarity:
                images = self._config.objective.model_copy(update={"regularisers": ()})
                losses = images.bind(case, similarity, random)(transform)
                found = {name: term.similarity * loss for name, loss in losses.items()}
            for part in term.regularisers:
                found[part.term.name] = part.weight * part.term.penalty(transform, random)
            found[GUIDANCE] = term.weight * (transform.displacement - truth).square().mean()
        nothing = transform.fixed.new_zeros(())
        return {name: found.get(name, nothing) for name in self._config.losses}

    def _truth(
        self, teacher: PseudoLabeller, prediction: Fields, case: ImagePair, random: torch.Generator
    ) -> Fields:
        """Pair by pair, so that no pair is taught otherwise in a batch than alone."""
        epochs = self._config.epochs
        pairs = zip(unbatch(case), prediction, strict=True)
        inputs = (GuidanceInput(one, u[None], self._epoch, epochs, random) for one, u in pairs)
        return torch.cat([teacher(item).detach() for item in inputs])


def build_pseudo_labellers(config: TrainConfig, device: torch.device) -> list[PseudoLabeller]:
    """The teachers of a training, the same ones whenever it is taken up.

    Raises:
        WeightsError: the weights of a network cannot be used.
    """
    teachers: list[PseudoLabeller] = []
    for number, term in enumerate(config.guidance):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(config.seed, number, Stream.GUIDANCE))
            teachers.append(term.teacher.build(device))
    return teachers
