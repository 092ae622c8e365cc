"""A training file says everything that decides the weights that come out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import torch
from pydantic import Discriminator, Field, PositiveFloat, PositiveInt, Tag, model_validator

from l2r.grid import GridRule
from l2r.run_files import load_run_file
from l2r.schema import Frozen
from models.descent.objective import ImagePair, LossFunction, ObjectiveTerms
from models.losses.base import DisplacementTerm, SmoothnessTerm
from models.losses.catalog import Similarity
from models.losses.lncc import Lncc
from models.losses.parts import Comparison
from models.networks.catalog import ModelConfig
from models.optim.optimisers import AdamConfig, Optimiser
from models.training.augment import Augmentation
from models.training.guidance.config import GuidanceTerm
from models.training.schedule import PolyConfig, Schedule
from models.training.synthesis.config import Synthesis


class TrainingObjective(ObjectiveTerms):
    """The losses of a training, averaged over a batch."""

    similarity: Similarity = Lncc()
    anatomy: None = None
    """A training compares label maps: `regatta segment` makes some, see `label_weight`."""
    smooth: Literal["displacement", "velocities", "last_velocity"] = "displacement"
    """What diffusion, bending and `lddmm` judge: the field, or the velocities of a network that
    integrates some, all of them (the mean over time) or the one at the end."""

    def bind(
        self, case: ImagePair, similarity: Comparison, random: torch.Generator
    ) -> LossFunction:
        """As for one pair; the label loss of pairs without label maps is zero."""
        if self.label_weight is None or case.labels is not None:
            return super().bind(case, similarity, random)
        rest = self.model_copy(update={"label_weight": None})
        without, zero = rest.bind(case, similarity, random), case.fixed.new_zeros(())
        return lambda transform: {**without(transform), "labels": zero}


class Images(Frozen):
    """Pairs of a training list, or of the images of a folder."""

    kind: Literal["images"] = "images"
    both_orders: bool = False
    """Each pair is followed by itself with the images exchanged, as a step of its own."""
    structures: tuple[int, ...] | None = None
    """Labels that count where the objective has a label term; else those that a pair shares."""


def _kind(raw: Any) -> str:
    return raw.get("kind", "images") if isinstance(raw, dict) else raw.kind


DataConfig: TypeAlias = Annotated[
    Annotated[Images, Tag("images")] | Annotated[Synthesis, Tag("synthesis")],
    Discriminator(_kind),
]
"""Where pairs come from; `kind` says which, images if it is left out."""


FieldTerms = (SmoothnessTerm, DisplacementTerm)


class TrainConfig(Frozen):
    """One training."""

    task: str = "lumir24"
    """A file of `l2r/tasks/`, by name or by path: grid, intensities, and how it is validated."""
    seed: int = Field(default=0, ge=0)
    model: ModelConfig
    """With `weights`, these are fine-tuned."""
    passes: tuple[PositiveInt, ...] = Field(default=(1,), min_length=1)
    """In each the network sees means over cubes of so many voxels a side, as in a run file; images
    are padded first, so it need not divide their shape. If there are several passes, each step
    teaches one of them, after those before it."""
    crop: PositiveInt | None = None
    """Voxels along each axis, as the network sees them, of the pieces that a pass is taught on if
    it sees more of the whole pair; without it pairs are always whole."""
    data: DataConfig = Images()
    augment: tuple[Augmentation, ...] = ()
    """What is done to the images of a pair, one after the other."""
    objective: TrainingObjective = TrainingObjective()
    guidance: tuple[GuidanceTerm, ...] = ()
    """In each step the first lesson whose turn it is takes the place of the objective; by that the
    network is validated all the same, as a loss that follows the network says little about it."""
    optimiser: Optimiser = AdamConfig(amsgrad=True)
    learning_rate: PositiveFloat = 1e-4
    """Of the first epoch."""
    schedule: Schedule = PolyConfig()
    epochs: PositiveInt
    batch: PositiveInt = 1
    """Samples that are computed at a time, by each process."""
    accumulate: PositiveInt = 1
    """Batches whose gradients are averaged for a step."""
    clip_norm: PositiveFloat | None = None
    """Longest gradient, over all weights together; a longer one is shortened."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the running mean of the weights that a step keeps; the mean is what is validated
    and exported. Without it the weights themselves are."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the network, not of the losses."""
    best_by: Literal["objective", "dice"] = "objective"
    """The best epoch has the lowest mean objective on the validation pairs, or the highest Dice, by
    which the published code of on-the-fly guidance keeps weights."""

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of all that the steps may have."""
        terms = [name for term in self.guidance for name in term.losses]
        return tuple(dict.fromkeys([*self.objective.objectives, *terms]))

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainConfig":
        labels = self.objective.label_weight is not None
        if labels and self.model.own_grid:
            raise ValueError(f"{self.model.name} compares images on a grid without label maps")
        if labels and self.batch > 1 and self.data.structures is None:
            raise ValueError("label maps of several pairs at a time: name data.structures")
        return self

    @property
    def in_pieces(self) -> bool:
        """True if steps are given pairs at full resolution and draw what they teach."""
        return len(self.passes) > 1 or self.crop is not None

    @property
    def shrink(self) -> int:
        """Voxels of an image along each axis that one of what a step is given is long."""
        return 1 if self.in_pieces else self.passes[0]

    def grid(self, network: GridRule) -> GridRule:
        """The grids on which all passes of a network work, in voxels of what a step is given."""
        rule = GridRule()
        for shrink in self.passes:
            rule = rule.joined(network.finer(shrink // self.shrink))
        return rule

    @model_validator(mode="before")
    @classmethod
    def _says_passes(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "shrink" in raw:
            raise ValueError(f"shrink is called passes now: passes = [{raw['shrink']}]")
        return raw

    @model_validator(mode="after")
    def _pieces_can_be_judged(self) -> "TrainConfig":
        if not self.in_pieces:
            return self
        terms = [part.term for part in self.objective.regularisers]
        labels = self.objective.label_weight is not None
        problems = {
            "batch = 1 (accumulate does the same)": self.batch > 1,
            'objective.direction = "one_way"': self.objective.direction != "one_way",
            'objective.smooth = "displacement"': self.objective.smooth != "displacement",
            "regularisers of the field alone": not all(isinstance(t, FieldTerms) for t in terms),
            "no guidance": bool(self.guidance),
            "a network that sees images as they are": self.model.own_grid is not None,
            "no augmentation that resamples label maps": labels
            and any(part.resamples for part in self.augment),
        }
        if missing := [what for what, wrong in problems.items() if wrong]:
            raise ValueError(f"several passes, or a crop, ask for {'; '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _teachers_can_teach(self) -> "TrainConfig":
        for teacher in (term.teacher for term in self.guidance):
            if teacher.needs_labels and self.objective.label_weight is None:
                raise ValueError("a teacher looks at label maps: set objective.label_weight too")
            own = self.model.own_grid
            if own and (problem := teacher.grid.problem(own)):
                raise ValueError(f"{self.model.name} is taught on a grid of its own: {problem}")
        return self


def load_training(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a training file and what it extends, and put values in their places.

    Raises:
        ConfigError: missing, not TOML, an unknown key or a wrong value.
    """
    return load_run_file(TrainConfig, path, overrides)
