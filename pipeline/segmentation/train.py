"""Training of a segmentation, from files to weights."""

import json
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
from models.segmentation.samples import RealImage, SyntheticImages
from models.segmentation.segmenter import HALF
from models.segmentation.structures import to_channels
from models.segmentation.training import SegmentationTrainer
from models.training.state import LAST, SETTINGS, export, refuse_begun
from pipeline.device import find_device
from pipeline.train.data import TrainingData

LOG = "log.jsonl"
_REPORTED = 25
"""Steps whose mean loss is a line of the log."""


@dataclass(frozen=True)
class SegmentationRequest:
    """The request of a user."""

    config: Path
    data: TrainingData
    labels: Path | None
    """Folder of label maps of the images."""
    output: Path
    resume: bool
    device: str
    time_budget_s: float | None
    task: str
    overrides: tuple[str, ...] = ()


def train_segmentation(request: SegmentationRequest) -> bool:
    """Train, and write the weights so far; True if all steps are done.

    Raises:
        L2RError: it cannot be begun or cannot go on.
    """
    config = load_segmentation_training(request.config, request.overrides)
    if config.real and not request.data.scans:
        raise ConfigError("the training file asks for real images; give --data")
    if request.labels and not (config.real and request.data.scans):
        raise ConfigError(
            "--labels belong to real images; give --data, and real in the training file"
        )
    refuse_begun(request.output, resume=request.resume)
    rule = config.network.build().grid.finer(HALF)
    maps = [_cut(_read_map(scan.path), rule) for scan in request.data.maps]
    labels, seen = request.labels, request.data.scans if config.real else []
    real = [_real(scan, rule, request.task, labels) for scan in seen]
    device = find_device(request.device)
    images = SyntheticImages(maps, config, device)
    trainer = SegmentationTrainer(config, images, real, device)
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
            """Write the mean loss of so many steps to the log."""
            losses.append(loss)
            if (step + 1) % _REPORTED:
                return
            mean = sum(losses) / len(losses)
            losses.clear()
            with (request.output / LOG).open("a") as file:
                file.write(json.dumps({"step": step + 1, "loss": round(mean, 5)}) + "\n")
            advance(f"step {step + 1}: loss {mean:.4f}")

        return trainer.run(request.output, request.time_budget_s, report)


def _read_map(path: Path) -> Shaped[np.ndarray, "_ _ _"]:
    labels = np.asarray(read_labels(path))
    if labels.min() < 0 or labels.max() > np.iinfo(np.int16).max:
        raise ImageError(f"{path}: no map of FreeSurfer's labels: {labels.min()} to {labels.max()}")
    return labels.astype(np.int16)


def _real(scan: Scan, rule: GridRule, task: str, labels: Path | None) -> RealImage:
    """An image, and its label map, which has the same name in the folder of label maps."""
    image = read_image(scan.path)
    volume = load_task(task).preprocess.normalise(np.asarray(image.array, np.float32)).volume
    half = torch.from_numpy(cube_means(_cut(volume, rule), HALF))[None, None]
    if labels is None:
        return RealImage(half)
    found = _read_map(labels / scan.path.name)
    if found.shape != volume.shape:
        raise ImageError(
            f"{labels / scan.path.name}: has shape {found.shape}, its image {volume.shape}"
        )
    return RealImage(half, to_channels(torch.from_numpy(_cut(found, rule))[None]).byte())


def _cut(volume: Shaped[np.ndarray, "_ _ _"], rule: GridRule) -> Shaped[np.ndarray, "_ _ _"]:
    shape = triple(volume.shape)
    return working_grid(shape, shape, rule).box.cut(volume)
