"""Training of a segmentation, from files to weights."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped

from l2r.arrays import triple
from l2r.console import progress
from l2r.disk import make_folder, writing
from l2r.errors import ConfigError, ImageError
from l2r.formats.volumes import read_image, read_labels
from l2r.grid import GridRule, cube_means, working_grid
from l2r.pairs import Scan
from l2r.task import load_task
from models.segmentation.config import SegmentationTraining, load_segmentation_training
from models.segmentation.samples import SyntheticImages
from models.segmentation.segmenter import HALF
from models.segmentation.training import SegmentationTrainer
from models.training.state import LAST, SETTINGS, export, refuse_begun
from models.types import Volumes

LOG = "log.jsonl"
_REPORTED = 25
"""Steps whose mean loss is a line of the log."""


@dataclass(frozen=True)
class SegmentationRequest:
    """The request of a user."""

    config: Path
    maps: Sequence[Scan]
    real: Sequence[Scan]
    output: Path
    resume: bool
    time_budget_s: float | None
    task: str


def train_segmentation(request: SegmentationRequest) -> bool:
    """Train, and write the weights so far; True if all steps are done.

    Raises:
        L2RError: it cannot be begun or cannot go on.
    """
    config = load_segmentation_training(request.config)
    if config.real and not request.real:
        raise ConfigError("the training file asks for real images; give --data")
    refuse_begun(request.output, resume=request.resume)
    rule = config.network.build().grid.finer(HALF)
    maps = [_map(scan, rule) for scan in request.maps]
    real = [_real(scan, rule, request.task) for scan in request.real] if config.real else []
    trainer = SegmentationTrainer(config, SyntheticImages(maps, config), real)
    make_folder(request.output)
    trainer.restore(request.output)
    with writing(request.output / SETTINGS) as file:
        file.write(trainer.settings.encode())
    done = _trained(trainer, config, request)
    export(request.output / LAST, trainer.averaged)
    return done


def _trained(
    trainer: SegmentationTrainer, config: SegmentationTraining, request: SegmentationRequest
) -> bool:
    losses: list[float] = []
    with progress(config.steps // _REPORTED, "training") as advance:

        def report(step: int, loss: float) -> None:
            losses.append(loss)
            if (step + 1) % _REPORTED:
                return
            mean = sum(losses) / len(losses)
            losses.clear()
            with (request.output / LOG).open("a") as file:
                file.write(json.dumps({"step": step + 1, "loss": round(mean, 5)}) + "\n")
            advance(f"step {step + 1}: loss {mean:.4f}")

        return trainer.run(request.output, request.time_budget_s, report)


def _map(scan: Scan, rule: GridRule) -> Shaped[np.ndarray, "_ _ _"]:
    labels = np.asarray(read_labels(scan.path))
    if labels.min() < 0 or labels.max() > np.iinfo(np.int16).max:
        raise ImageError(
            f"{scan.path}: no map of FreeSurfer's labels: {labels.min()} to {labels.max()}"
        )
    return _cut(labels.astype(np.int16), rule)


def _real(scan: Scan, rule: GridRule, task: str) -> Volumes:
    image = np.asarray(read_image(scan.path).array, np.float32)
    volume = _cut(load_task(task).preprocess.normalise(image).volume, rule)
    return torch.from_numpy(cube_means(volume, HALF))[None, None]


def _cut(volume: Shaped[np.ndarray, "_ _ _"], rule: GridRule) -> Shaped[np.ndarray, "_ _ _"]:
    shape = triple(volume.shape)
    return working_grid(shape, shape, rule).box.cut(volume)
