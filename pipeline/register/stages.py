"""The life of a pair, one function a stage.

    Pair --prepare--> Prepared --predict--> Predicted --refine--> Predicted ...
         --place--> field on the fixed grid --export--> file

Each arrow is a callable from one frozen record to the next, so a wrong order does not type-check. A
pair is uploaded once and its field downloaded once. All stages are pure functions of a pair, the
run file, a seed and a deadline: threads, processes and notebooks may call them alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch

from l2r.arrays import Vectors
from l2r.errors import ConfigError
from l2r.grid import GridRule
from l2r.pairs import Pair
from l2r.prepare import Loaded, Prepared, PreparePair
from l2r.task import Task
from l2r.transforms.learn2reg import followed_by
from models.networks.base import InvertibleModel, RegistrationModel
from models.networks.passes import PassSettings
from models.segmentation.estimate import estimate_dice
from models.segmentation.segmenter import HALF, Segmenter
from models.weights.load import build_network
from pipeline.register.align import PrepareAligned
from pipeline.register.config import Refinement, RunConfig
from pipeline.register.manifest import DiceRecord
from pipeline.register.predict import PredictField, PredictInverse, to_numpy
from pipeline.register.records import Predicted
from pipeline.register.refine import RefineField

Refine: TypeAlias = Callable[[Predicted, torch.Generator, float | None], Predicted]
"""Called with a generator on the CPU and a deadline in seconds of `time.monotonic`."""


@dataclass(frozen=True)
class Stages:
    """The stages between a pair and its field, as a run file puts them together."""

    prepare: Callable[[Pair | Loaded], Prepared]
    predict: Callable[[Prepared, float | None], Predicted]
    """Called with a deadline in seconds of `time.monotonic`."""
    refinements: tuple[Refine, ...] = ()
    seed: int = 0
    labels: bool = False
    """Whether label maps decide fields too."""
    inverse: Callable[[Prepared], Vectors] | None = None
    """The network's own inverse, on the moving image's working grid; None where the field is not
    that of one pass of a network that has one."""

    def refine(self, predicted: Predicted, deadline: float | None = None) -> Predicted:
        """Refine one after the other; each draws from a generator of its own with the run's seed.

        Args:
            predicted: the field of the network.
            deadline: in seconds of `time.monotonic`.
        """
        for refinement in self.refinements:
            generator = torch.Generator().manual_seed(self.seed)
            predicted = refinement(predicted, generator, deadline)
        return estimated(predicted)


def place(predicted: Predicted) -> Vectors:
    """Bring the field to the host and onto the fixed image's grid, in voxels of that.

    An affine map before the network is composed with it: the field leads to the moving image as it
    is stored.
    """
    vectors = predicted.prepared.grid.place(to_numpy(predicted.field))
    alignment = predicted.prepared.alignment
    return vectors if alignment is None else followed_by(vectors, alignment.voxels)


def estimated(predicted: Predicted) -> Predicted:
    """Add an estimate of the Dice, and a warning where it says that the registration failed."""
    soft = predicted.images.anatomy
    if soft is None:
        return predicted
    found = estimate_dice(soft, predicted.field)
    structures = {str(label): round(dice, 4) for label, dice in found.structures.items()}
    return replace(
        predicted,
        estimate=DiceRecord(
            dice=found.dice, before=found.before, structures=structures, suspect=found.suspect
        ),
        warnings=(*predicted.warnings, *([f"suspect: {found.suspect}"] if found.suspect else [])),
    )


def build_stages(config: RunConfig, task: Task, device: torch.device) -> Stages:
    """Make the stages of a run.

    Args:
        config: the run file.
        task: its shape and intensities.
        device: where networks and refinements compute.

    Raises:
        WeightsError: the model's weights cannot be used.
        ConfigError: no grid suits both the network and the refinements, or the network has nothing
            that could be refined.
    """
    model = build_network(config.model)
    segmenter = (
        None
        if config.segmentation is None
        else Segmenter.from_weights(config.segmentation.weights, device)
    )
    prepare = PreparePair(task, _rule(model, config), config.voxel_mm, config.labels)
    return Stages(
        prepare=prepare if config.affine == "off" else PrepareAligned(prepare, config.affine),
        predict=PredictField(model, device, _passes(config), segmenter),
        refinements=tuple(_refinement(part, model, device) for part in config.refine),
        seed=config.seed,
        labels=config.labels,
        inverse=_inverse(config, model, device),
    )


def _inverse(
    config: RunConfig, model: RegistrationModel, device: torch.device
) -> PredictInverse | None:
    plain = len(config.passes) == 1 and config.mirror is None and config.voxel_mm is None
    composed = config.refine or config.affine != "off"
    if composed or not plain or not isinstance(model, InvertibleModel):
        return None
    return PredictInverse(model, device, config.passes[0])


def _refinement(part: Refinement, model: RegistrationModel, device: torch.device) -> Refine:
    try:
        return RefineField(part, model, device)
    except ValueError as cause:
        raise ConfigError(f"refinement {part.name!r}: {cause}") from None


def _passes(config: RunConfig) -> PassSettings:
    return PassSettings(config.passes, config.mirror, half=config.precision == "bfloat16")


def _rule(model: RegistrationModel, config: RunConfig) -> GridRule:
    """The grids that the network and every refinement can work on."""
    rule = GridRule() if config.segmentation is None else GridRule(HALF)
    for shrink in config.passes:
        try:
            rule = rule.joined(model.grid.finer(shrink))
        except ValueError as cause:
            raise ConfigError(
                f"no grid suits all passes of network {config.model.name!r}: {cause}; change passes"
            ) from None
    for part in config.refine:
        try:
            rule = rule.joined(part.grid)
        except ValueError as cause:
            raise ConfigError(
                f"no grid suits both network {config.model.name!r} and refinement "
                f"{part.name!r}: {cause}; change the refinement's levels or the network"
            ) from None
    return rule
