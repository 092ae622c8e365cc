"""From a run file to stages that can be called."""

from dataclasses import dataclass
from pathlib import Path

import torch

from l2r.errors import ConfigError
from l2r.grid import GridRule
from l2r.prepare import PreparePair
from l2r.task import Task
from models.descent.weights import WeightOptimisationConfig
from models.networks.base import RegistrationModel
from models.weights.load import build_network
from pipeline.register.config import Refinement, RunConfig
from pipeline.register.export import ExportField
from pipeline.register.predict import PredictField
from pipeline.register.refine import RefineField, RefineWeights
from pipeline.register.stage import Export, Predict, Preprocess, Refine


@dataclass(frozen=True)
class Stages:
    """Everything between a pair and its file."""

    preprocess: Preprocess
    predict: Predict
    refine: tuple[Refine, ...]
    export: Export


def build(
    config: RunConfig, task: Task, device: torch.device, folder: Path, name: str | None = None
) -> Stages:
    """Make the stages of a run.

    Args:
        config: says which.
        task: its shape, intensities and names.
        device: where networks and refinements compute.
        folder: where fields are written.
        name: of the one field's file, where it does not follow from the task's rule.

    Raises:
        WeightsError: the model's weights cannot be used.
        ConfigError: no grid suits both the network and the refinements, or the network has nothing
            that could be refined.
    """
    model = build_network(config.model)
    return Stages(
        preprocess=PreparePair(task, _rule(model, config), config.voxel_mm, config.labels),
        predict=PredictField(
            model, device, half=config.precision == "bfloat16", shrink=config.shrink
        ),
        refine=tuple(_refinement(part, model, device) for part in config.refine),
        export=ExportField(task, folder, name),
    )


def _refinement(part: Refinement, model: RegistrationModel, device: torch.device) -> Refine:
    if not isinstance(part, WeightOptimisationConfig):
        return RefineField(part, device)
    try:
        return RefineWeights(part, model, device)
    except ValueError as cause:
        raise ConfigError(f"refinement {part.name!r}: {cause}") from None


def _rule(model: RegistrationModel, config: RunConfig) -> GridRule:
    """What the network and every refinement can work on."""
    rule = model.grid.finer(config.shrink)
    for part in config.refine:
        try:
            rule = rule.joined(part.grid)
        except ValueError as cause:
            raise ConfigError(
                f"no grid suits both network {config.model.name!r} and refinement "
                f"{part.name!r}: {cause}; change the refinement's levels or the network"
            ) from None
    return rule


def find_device(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda` or `cuda:n` as a device that is there.

    Raises:
        ConfigError: no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in {"cpu", "cuda"}:
        raise ConfigError(f"--device {name}: no such device; give auto, cpu, cuda or cuda:n")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"--device {name}: torch sees {torch.cuda.device_count()} GPUs; "
            "try --device cpu, or give the container its GPU (docker run --gpus all)"
        )
    return device
