"""The settings of a run as its manifest has them: all but the images that decides a field."""

import platform
from importlib.metadata import version
from pathlib import Path

import torch

from l2r.task import Task
from models.weights.registry import find_weights, hash_of
from pipeline.device import describe_device
from pipeline.register.config import RunConfig
from pipeline.register.manifest import RunSettings
from pipeline.version import current_commit

PACKAGES = ("torch", "numpy", "scipy", "nibabel", "isal")


def settings_of(
    task: Task,
    config: RunConfig,
    device: torch.device,
    budget_s: float | None,
    overrides: tuple[str, ...] = (),
) -> RunSettings:
    """The settings of a run on this machine, with this code.

    Raises:
        WeightsError: the weights cannot be found.
    """
    segmentation = config.segmentation.weights if config.segmentation else None
    return RunSettings(
        task=task.model_dump(mode="json"),
        config=config.model_dump(mode="json"),
        weights_sha256=_hash(config.model.weights),
        segmentation_sha256=_hash(segmentation),
        device=describe_device(device),
        versions={"python": platform.python_version()} | {p: version(p) for p in PACKAGES},
        commit=current_commit(),
        time_budget_s=budget_s,
        overrides=overrides,
    )


def _hash(weights: Path | None) -> str | None:
    return hash_of(find_weights(weights)) if weights else None
