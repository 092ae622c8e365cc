"""Objectives of a descent, composed of terms in a run file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from l2r.arrays import Shape
from l2r.grid import GridRule
from l2r.schema import Frozen
from models.descent.loop import Convergence, Goal, Kept, LossValues, OptimisationResult, sum_of
from models.losses.anatomy import Anatomy, SoftLabelPair
from models.losses.base import CandidateTransform
from models.losses.catalog import Regulariser
from models.losses.dice import LabelVolumes, SoftDice
from models.losses.mse import Mse
from models.losses.parts import Comparison
from models.networks.base import RegistrationModel
from models.optim.combine import Combine, Losses, SumGradients
from models.optim.optimisers import AdamConfig, Optimiser
from models.spatial.blocks import block_means
from models.spatial.coordinate_maps import ImageBatch
from models.spatial.warp import warp
from models.types import Fields, Scalar, Stacks

TOTAL = "total"
LossFunction: TypeAlias = Callable[[CandidateTransform], Losses]
Term: TypeAlias = Callable[[CandidateTransform], Scalar]


LabelTerm: TypeAlias = Annotated[SoftDice | Mse, Field(discriminator="name")]
"""Compares one channel per structure of the fixed and the warped label map."""


@dataclass(frozen=True)
class ImagePair:
    """A fixed and a moving image on one grid, one pair or a batch of pairs."""

    fixed: ImageBatch
    moving: ImageBatch
    labels: tuple[Stacks, Stacks] | tuple[LabelVolumes, LabelVolumes] | None = None
    """Of the fixed and of the moving image, one channel per structure; label maps as they are where
    a training draws pieces of the pair, which are judged by some of the structures."""

    anatomy: SoftLabelPair | None = None
    """What a segmentation network sees in both images, at half their resolution."""

    def after(self, prediction: Fields) -> "ImagePair":
        """The pair with the moving side warped by a prediction."""
        labels, anatomy = self.labels, self.anatomy
        if labels:
            labels = labels[0], warp(labels[1], prediction)
        if anatomy:
            anatomy = anatomy.after(prediction)
        return ImagePair(self.fixed, warp(self.moving, prediction), labels, anatomy)

    def shrunk(self, factor: int) -> "ImagePair":
        """Average over cubes of `factor` voxels a side."""
        if factor == 1:
            return self
        labels = self.labels
        if labels:
            labels = block_means(labels[0], factor), block_means(labels[1], factor)
        fixed, moving = block_means(self.fixed, factor), block_means(self.moving, factor)
        return ImagePair(fixed, moving, labels, self.anatomy)


@dataclass(frozen=True)
class Refined:
    """A refined field, and the history of its levels."""

    field: Fields
    history: tuple[OptimisationResult, ...]
    """One per level that was begun."""


@runtime_checkable
class Refiner(Protocol):
    """A descent that improves the field of one pair."""

    def __call__(
        self,
        pair: ImagePair,
        prediction: Fields,
        *,
        deadline: float | None = None,
        random: torch.Generator | None = None,
    ) -> Refined: ...


class WeightedRegulariser(Frozen):
    """A regulariser with its weight; the similarity has weight 1."""

    weight: NonNegativeFloat
    term: Regulariser


class ObjectiveTerms(Frozen):
    """Losses of a pair besides its similarity, for training and for descents alike."""

    regularisers: tuple[WeightedRegulariser, ...] = ()
    direction: Literal["one_way", "both_ways"] = "one_way"
    """Both ways: the fixed image is compared with the moving one as well, and costs are added."""
    label_weight: PositiveFloat | None = None
    """Of the loss of label maps, which both images must then have."""
    label_term: LabelTerm = SoftDice()
    anatomy: Anatomy | None = None
    """Compares what a segmentation network sees in both images; the run file names its weights."""

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the losses, in order."""
        labels = () if self.label_weight is None else ("labels",)
        anatomy = () if self.anatomy is None else ("anatomy",)
        return ("similarity", *(part.term.name for part in self.regularisers), *labels, *anatomy)

    @model_validator(mode="after")
    def _names_are_clear(self) -> "ObjectiveTerms":
        names = self.objectives
        if len(set(names)) < len(names):
            raise ValueError(f"a regulariser is named twice: {', '.join(names)}")
        return self

    def bind(
        self, pair: ImagePair, similarity: Comparison, random: torch.Generator
    ) -> LossFunction:
        """Make the losses for one pair; parts that depend on the images alone are computed once.

        Raises:
            ValueError: labels count, but the pair has none.
        """
        both_ways = self.direction == "both_ways"
        terms = {"similarity": _similar(pair, similarity, both_ways=both_ways)}
        terms |= {part.term.name: _regular(part, random) for part in self.regularisers}
        if self.label_weight is not None:
            terms["labels"] = _labelled(pair, self.label_term, self.label_weight)
        if self.anatomy is not None:
            terms["anatomy"] = _anatomical(pair, self.anatomy)
        return lambda transform: {name: term(transform) for name, term in terms.items()}


class DescentConfig(ObjectiveTerms):
    """Settings that every descent on a pair has, whatever it optimises."""

    combine: Combine = SumGradients()
    optimiser: Optimiser = AdamConfig()
    convergence: Convergence | None = None
    """Ends a level early; without it all steps are done."""
    best_by: str = TOTAL
    """The loss that decides which iterate is best, one of `objectives` or their total."""
    keep: Kept = "best"
    """The iterate that is kept; on-the-fly guidance takes the last one, whatever it is worth."""

    predicts_anew: ClassVar[bool] = False
    """Whether the descent replaces the field so far instead of improving it."""

    @property
    def grid(self) -> GridRule:
        """Grids that the descent works on."""
        return GridRule()

    def refiner(self, model: RegistrationModel) -> Refiner:
        """Make the descent for the pairs of a run.

        Args:
            model: the network that predicted their fields.

        Raises:
            ValueError: the network does not suit the descent.
        """
        raise NotImplementedError

    def coarser(self, shape: Shape) -> "DescentConfig | None":  # noqa: ARG002
        """The same descent for less memory on a grid of this shape, or None."""
        return None

    @model_validator(mode="after")
    def _best_is_known(self) -> "DescentConfig":
        if self.best_by not in {TOTAL, *self.objectives}:
            known = ", ".join([TOTAL, *self.objectives])
            raise ValueError(f"best_by {self.best_by!r} is none of: {known}")
        return self

    def goal(self, losses: Callable[[], Losses], random: torch.Generator) -> Goal:
        """The objective that `descend` minimises."""
        return Goal(losses, self._score, self.combine, random, self.keep)

    def _score(self, values: LossValues) -> float:
        return sum_of(values) if self.best_by == TOTAL else values[self.best_by]


def _similar(pair: ImagePair, similarity: Comparison, *, both_ways: bool) -> Term:
    forward = similarity.bind(pair.fixed)
    if not both_ways:
        return lambda transform: forward(transform.warp(pair.moving))
    inverse = similarity.bind(pair.moving)
    return lambda transform: (
        forward(transform.warp(pair.moving)) + inverse(transform.warp_inverse(pair.fixed))
    )


def _regular(part: WeightedRegulariser, random: torch.Generator) -> Term:
    return lambda transform: part.weight * part.term.penalty(transform, random)


def _labelled(pair: ImagePair, term: LabelTerm, weight: float) -> Term:
    if pair.labels is None:
        raise ValueError("label_weight asks for label maps of both images, there are none")
    fixed, moving = pair.labels
    overlap = term.bind(fixed)
    return lambda transform: weight * overlap(transform.warp(moving))


def _anatomical(pair: ImagePair, term: Anatomy) -> Term:
    if pair.anatomy is None:
        raise ValueError("an anatomy term asks for soft labels of both images, there are none")
    return term.bind(pair.anatomy)
