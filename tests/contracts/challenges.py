"""A tiny challenge on the disk for any task file, with a submission that its scorer takes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from eval.protocol import Protocol, protocol_of
from l2r.arrays import Shape
from l2r.dataset import read_pairs
from l2r.formats.fields import write_field
from l2r.formats.volumes import write_volume
from l2r.pairs import Pair
from l2r.submission import field_names
from l2r.task import ImageRules, Task

SHAPE: Shape = (20, 18, 24)
STRUCTURES = 4
SCANS = {
    "lumir24": [("0002_0000", "0001_0000"), ("3486_0000", "3485_0000")],
    "lumir25": [
        *(("3455_0000", "3454_0000"), ("4015_0000", "4014_0000"), ("4024_0000", "4033_0001")),
        ("3485_0000", "3484_0000"),
    ],
    "abdomen_mrct": [("0006_0000", "0006_0001"), ("0007_0000", "0007_0001")],
    "lung_ct": [("0001_0000", "0001_0001"), ("0002_0000", "0002_0001")],
    "nlst": [("0101_0000", "0101_0001"), ("0102_0000", "0102_0001")],
    "thorax_cbct": [("0011_0001", "0011_0000"), ("0011_0002", "0011_0000")],
    "psmareg26": [("0001_0000_00", "0001_0000_01"), ("0003_0000_00", "0003_0000_01")],
    "psmareg26_test": [("0001_0000_00", "0001_0000_01"), ("0001_0000_01", "0001_0000_00")],
}
"""Fixed and moving, numbered as the challenge does."""
OTHERS = [("0002_0000", "0001_0000"), ("0003_0000", "0002_0000")]


@dataclass(frozen=True)
class Challenge:
    """Ground truth and a submission."""

    folder: Path
    task: Task
    """The task's own, but for the grid."""

    @property
    def dataset(self) -> Path:
        return self.folder / "T_dataset.json"

    @property
    def fields(self) -> Path:
        return self.folder / "fields"

    @property
    def protocol(self) -> Protocol:
        return protocol_of(self.task)

    @property
    def pairs(self) -> list[Pair]:
        return read_pairs(self.dataset, self.folder)

    @property
    def stored_shape(self) -> Shape:
        x, y, z = SHAPE
        return (x // 2, y // 2, z // 2) if self.task.field.grid == "half" else SHAPE


def write_challenge(folder: Path, task: Task, seed: int = 0) -> Challenge:
    """Everything that the task's scorer reads, and a smooth field for every pair."""
    made = Challenge(folder, task.model_copy(update={"data": ImageRules(shape=SHAPE)}))
    rng = np.random.default_rng(seed)
    scans = SCANS.get(task.name, OTHERS)
    ids = [label for label in made.protocol.labels or range(1, 5) if label][:STRUCTURES]
    for number in sorted({number for pair in scans for number in pair}):
        write_scan(folder, f"T_{number}", ids, rng)
    made.dataset.write_text(json.dumps(listed(task.name, scans)))
    made.fields.mkdir()
    for name in field_names(made.task.field, made.pairs):
        write_field(made.fields / name, smooth(made.stored_shape, rng), np.eye(4))
    return made


def listed(task: str, scans: list[tuple[str, str]]) -> dict[str, object]:
    paths = [[f"./imagesVal/T_{number}.nii.gz" for number in pair] for pair in scans]
    if not task.startswith("psmareg"):
        return {"validation": [{"fixed": fixed, "moving": moving} for fixed, moving in paths]}
    studies = [
        {"Baseline CT": fixed, "Baseline PET": pet(fixed)}
        | {"Follow-up 01 CT": moving, "Follow-up 01 PET": pet(moving)}
        for fixed, moving in paths
    ]
    return {"validation_paired": studies}


def pet(path: str) -> str:
    return path.replace("_0000_", "_0001_")


def write_scan(folder: Path, name: str, ids: list[int], rng: np.random.Generator) -> None:
    """An image, structures, landmarks as blobs and as points, a mask, and a PET with a lesion."""
    structures = blobs(rng, ids, 4.0)
    body = gaussian_filter(rng.random(SHAPE), 1) * (blobs(rng, [1], 30) > 0)
    volumes = {
        f"imagesVal/{name}": (250 * body).astype(np.uint8),
        f"labelsVal/{name}": structures,
        f"landmarksVal/{name}": blobs(rng, list(range(1, 9)), 2.2),
        f"masksVal/{name}": blobs(rng, [1], 8.0),
    }
    if "_0000_" in name:
        volumes[f"imagesVal/{pet(name)}"] = (9 * rng.random(SHAPE)).astype(np.float32)
        volumes[f"labelsVal/{pet(name)}"] = blobs(rng, [1, 2], 2.5)
    for relative, volume in volumes.items():
        (folder / relative).parent.mkdir(exist_ok=True)
        write_volume(folder / f"{relative}.nii.gz", volume)
    points = rng.uniform(4, 14, (6, 3))
    for kind in ("landmarks", "keypoints", "keypoints01", "keypoints02"):
        (folder / f"{kind}Val").mkdir(exist_ok=True)
        np.savetxt(folder / f"{kind}Val" / f"{name}.csv", points, delimiter=",", fmt="%.3f")


def blobs(rng: np.random.Generator, ids: list[int], radius: float) -> np.ndarray:
    """Each a ball near its own corner of the grid; a single one in the middle."""
    labels = np.zeros(SHAPE, np.int16)
    index = np.moveaxis(np.indices(SHAPE), 0, -1)
    for place, label in enumerate(ids):
        corner = np.array([(place >> axis) & 1 for axis in range(3)]) if len(ids) > 1 else 0.5
        centre = (0.28 + 0.44 * corner) * np.array(SHAPE) + rng.uniform(-0.7, 0.7, 3)
        labels[np.linalg.norm(index - centre, axis=-1) < radius] = label
    return labels


def smooth(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    noise = gaussian_filter(rng.standard_normal((*shape, 3)), (2, 2, 2, 0))
    return (1.5 * noise / np.abs(noise).max()).astype(np.float32)
