"""Small phantoms on the disk, in the layout of a challenge."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from eval.metrics.base import Case
from eval.scoring import Scorer
from eval.truth import GroundTruth
from l2r.dataset import read_pairs
from l2r.formats.fields import write_field
from l2r.pairs import Pair
from l2r.submission import Submission, field_names, open_submission
from l2r.task import Task, load_task

SHAPE = (20, 18, 16)
LABELS = (0, 1, 2, 3, 4, 9)
"""9 is in no map."""

TASK = """
name = "phantom"
title = "Small phantoms"

[data]
shape = [20, 18, 16]

[field]
names = "lumir"
channels_first = true

[preprocess]
normalise = { kind = "divide", by = 255 }

[evaluation]
name = "PHANTOM"
metrics = [
    { metric = "ndv", name = "Non-diffeomorphic Volumes", mask = "moving" },
    { metric = "dice", name = "DSC" },
    { metric = "hd95", name = "HD95" },
    { metric = "tre", name = "TRE_lm", folder = "landmarks" },
]
labels = [0, 1, 2, 3, 4, 9]
"""


@dataclass(frozen=True)
class Phantom:
    """A challenge on the disk, with a submission to it."""

    folder: Path

    @property
    def dataset(self) -> Path:
        return self.folder / "dataset.json"

    @property
    def task_file(self) -> Path:
        return self.folder / "phantom.toml"

    @property
    def fields(self) -> Path:
        return self.folder / "fields"

    @property
    def task(self) -> Task:
        return load_task(str(self.task_file))

    @property
    def scorer(self) -> Scorer:
        return Scorer.of(self.task, self.folder)

    @property
    def pairs(self) -> list[Pair]:
        return read_pairs(self.dataset, self.folder)

    @property
    def submission(self) -> Submission:
        return open_submission(self.fields)

    def case(self, number: int) -> Case:
        """A pair with its field, which may be changed."""
        name, pair = list(field_names(self.task.field, self.pairs).items())[number]
        vectors = np.array(self.submission.read(name))
        return Case(pair, vectors, GroundTruth(self.folder), LABELS)

    def case_without(self, number: int, folder: str, index: int) -> Case:
        """A pair whose field makes one structure vanish."""
        case = self.case(number)
        ids = LABELS if folder == "labels" else None
        warped = self.case(number).structures(folder, ids).warped
        case.vectors[warped == index] = 1000
        return case


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


def balls(rng: np.random.Generator, count: int, radius: float) -> np.ndarray:
    """Labels 1 to `count`, each a ball near its own corner of the grid."""
    labels = np.zeros(SHAPE, np.uint8)
    index = np.indices(SHAPE)
    for label in range(1, count + 1):
        corner = np.array([(label >> axis) & 1 for axis in range(3)])
        centre = (0.28 + 0.4 * corner) * SHAPE + rng.uniform(-1, 1, 3)
        distance = np.sqrt(((index.T - centre) ** 2).sum(-1)).T
        labels[distance < radius] = label
    return labels


def smooth_field(rng: np.random.Generator, amplitude: float) -> np.ndarray:
    noise = gaussian_filter(rng.standard_normal((*SHAPE, 3)), (1.3, 1.3, 1.3, 0))
    return (amplitude * noise / np.abs(noise).max()).astype(np.float32)


@pytest.fixture
def phantom(tmp_path: Path) -> Phantom:
    """Two pairs with labels, one with landmarks, and a mildly folded field for each."""
    rng = np.random.default_rng(2024)
    made = Phantom(tmp_path)
    for number in range(1, 6):
        name = f"PHANTOM_{number:04}_0000.nii.gz"
        image = gaussian_filter(rng.random(SHAPE), 1) * (balls(rng, 8, 5.5) > 0)
        save(tmp_path / "imagesVal" / name, (255 * image).astype(np.uint8))
        if number <= 3:
            save(tmp_path / "labelsVal" / name, balls(rng, 4, 4.5))
        else:
            save(tmp_path / "landmarksVal" / name, balls(rng, 8, 2.5))
            points = rng.uniform(0, np.array(SHAPE) - 1, (6, 3))
            np.savetxt(tmp_path / "landmarksVal" / f"{name[:-7]}.csv", points, "%.5f", ",")
    names = [f"./imagesVal/PHANTOM_{number:04}_0000.nii.gz" for number in range(6)]
    pairs = [{"fixed": names[f], "moving": names[m]} for f, m in ((2, 1), (3, 2), (5, 4))]
    made.dataset.write_text(json.dumps({"validation": pairs}))
    made.task_file.write_text(TASK)
    made.fields.mkdir()
    for name in field_names(made.task.field, made.pairs):
        write_field(made.fields / name, smooth_field(rng, 3.0), np.eye(4))
    return made


@pytest.fixture
def golden(shared: Path) -> Callable[[str], dict[str, np.ndarray]]:
    """Arrays made by the published code."""
    from safetensors.numpy import load_file  # noqa: PLC0415 - only the golden tests need it

    return lambda name: load_file(shared / "reference" / "golden" / f"{name}.safetensors")
