"""Guidance in a training file: who teaches, when, and how much it counts."""

from typing import Annotated, TypeAlias

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from l2r.schema import Frozen
from models.descent.objective import WeightedRegulariser
from models.losses.diffusion import Diffusion
from models.training.guidance.cascade import CascadeConfig
from models.training.guidance.online_optimiser import OnlineOptimiserConfig
from models.training.guidance.pretrained_network import NetworkPseudoLabellerConfig

GUIDANCE = "guidance"
"""How the distance from the pseudo ground truth is called among the losses."""

AnyPseudoLabeller: TypeAlias = Annotated[
    OnlineOptimiserConfig | NetworkPseudoLabellerConfig | CascadeConfig, Field(discriminator="name")
]


class GuidanceSchedule(Frozen):
    """The steps at which a teacher teaches; by default all."""

    after: NonNegativeInt = 0
    """So many epochs have passed."""
    until: PositiveInt | None = None
    """No longer when so many epochs have passed."""
    every: PositiveInt = 1
    """Of those epochs, the first of so many."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 1.0
    """In a step only if a random number between 0 and 1 is below."""

    def applies(self, epoch: int, chance: float) -> bool:
        """Tell whether a step of this epoch, counted from 0, that has drawn `chance` is guided."""
        over = self.until is not None and epoch >= self.until
        turn = epoch >= self.after and (epoch - self.after) % self.every == 0
        return turn and not over and chance < self.threshold

    @model_validator(mode="after")
    def _has_a_time(self) -> "GuidanceSchedule":
        if self.until is not None and self.until <= self.after:
            raise ValueError(f"until {self.until} is not later than after {self.after}")
        return self


class GuidanceTerm(Frozen):
    """`similarity Lsim + regularisers + weight mean((u - v)^2)`, where `v` is pseudo ground truth.

    The mean runs over batch, components and voxels of the prediction `u`; no gradient passes
    through `v`.
    """

    teacher: AnyPseudoLabeller = OnlineOptimiserConfig()
    when: GuidanceSchedule = GuidanceSchedule()
    weight: PositiveFloat = 1.0
    similarity: NonNegativeFloat = 0.0
    """Of the similarity, and of the label term if there is one, as the training's objective has
    them."""
    regularisers: tuple[WeightedRegulariser, ...] = (
        WeightedRegulariser(weight=0.02, term=Diffusion()),
    )
    """These instead of the objective's."""

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of those that the training's objective may not have."""
        return (*(part.term.name for part in self.regularisers), GUIDANCE)

    @model_validator(mode="after")
    def _names_are_clear(self) -> "GuidanceTerm":
        if len(set(self.losses)) < len(self.losses):
            raise ValueError(f"a regulariser is named twice: {', '.join(self.losses)}")
        return self
