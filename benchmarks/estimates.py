"""Dice of label maps, estimated against true Dice of fields, and pairs that are broken on purpose.

    python -m benchmarks.estimates PAIRS.json --fields DIR --fields DIR [--broken 1]

Every folder holds the fields of a run of that list, whose images have FreeSurfer's label maps
beside them (`imagesVal`, `labelsVal`) and the grid and intensities of LUMIR. The pairs as they are,
unregistered, are one more run. Of broken pairs the moving image is mirrored or moved by 40 voxels,
and then registered by `t1_network`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import torch
import typer
from scipy.ndimage import shift
from scipy.stats import spearmanr

from benchmarks.machine import describe
from eval.metrics.dice import overlaps
from eval.structures import index_map
from eval.warp import warp_nearest
from l2r.arrays import Vectors
from l2r.dataset import read_pairs
from l2r.field import zero_field
from l2r.formats.fields import read_field
from l2r.formats.volumes import Image, read_image, read_labels
from l2r.pairs import Pair
from l2r.submission import field_name
from l2r.task import load_task
from models.segmentation.estimate import DiceEstimate, estimate_dice
from models.segmentation.segmenter import Segmenter
from models.segmentation.structures import STRUCTURES
from pipeline.register.predict import to_torch
from pipeline.register.registration import Registration

TASK = load_task("aseg")
BY = 40
Change: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Record:
    """A field, judged both ways."""

    true: float
    estimate: DiceEstimate


def _moved(axis: int) -> Change:
    def change(array: np.ndarray) -> np.ndarray:
        return shift(array, [BY * (axis == other) for other in range(3)], order=0)

    return change


def _mirrored(axis: int) -> Change:
    def change(array: np.ndarray) -> np.ndarray:
        return np.flip(array, axis)

    return change


BREAKS = {f"mirrored along axis {axis}": _mirrored(axis) for axis in range(3)} | {
    f"moved by {BY} along axis {axis}": _moved(axis) for axis in range(3)
}


def true_dice(fixed: np.ndarray, moving: np.ndarray, field: Vectors) -> float:
    """Mean over the structures that one of the maps has."""
    maps = index_map(fixed, STRUCTURES), index_map(warp_nearest(moving, field), STRUCTURES)
    return float(np.nanmean(overlaps(*maps, len(STRUCTURES))))


class Judge:
    """Both figures of a field."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def __call__(
        self, images: tuple[Image, Image], labels: tuple[np.ndarray, np.ndarray], field: Vectors
    ) -> Record:
        """Judge a field of the images by the soft labels and by the label maps."""
        fixed, moving = (
            to_torch(TASK.preprocess.normalise(image.array).volume, self._segmenter.device)
            for image in images
        )
        displacement = torch.from_numpy(np.moveaxis(field, -1, 0).copy())[None]
        estimate = estimate_dice(self._segmenter.pair(fixed, moving), displacement)
        return Record(true_dice(*labels, field), estimate)


def segmented(pairs: list[Pair], segmenter: Segmenter) -> None:
    """Compare the label maps of all images with FreeSurfer's."""
    scans = {scan.path: scan for pair in pairs for scan in (pair.fixed, pair.moving)}
    found = []
    for scan in scans.values():
        volume = TASK.preprocess.normalise(read_image(scan.path).array).volume
        labels = segmenter.label_map(to_torch(volume, segmenter.device))[0, 0].numpy()
        both = index_map(read_labels(scan.labels), STRUCTURES), index_map(labels, STRUCTURES)
        found.append(overlaps(*both, len(STRUCTURES)))
    print(f"label maps: {len(found)} images, Dice {np.nanmean(found):.4f}")
    for label, dice in zip(STRUCTURES, np.nanmean(found, axis=0), strict=True):
        print(f"  {label}: {dice:.2f}")


def runs(pairs: list[Pair], folders: list[Path], judge: Judge) -> dict[str, list[Record]]:
    """The records of every run, pair by pair."""
    found: dict[str, list[Record]] = {"unregistered": []} | {str(one): [] for one in folders}
    for pair in pairs:
        scans = pair.fixed, pair.moving
        images = read_image(scans[0].path), read_image(scans[1].path)
        labels = read_labels(scans[0].labels), read_labels(scans[1].labels)
        for run, records in found.items():
            field = zero_field(images[0].array.shape)
            if run != "unregistered":
                field = read_field(Path(run) / field_name(TASK.field, pair))
            records.append(judge(images, labels, field))
    return found


def broken(pairs: list[Pair], judge: Judge) -> Iterator[tuple[str, Record]]:
    """Each pair, broken in each way and registered."""
    registration = Registration.from_config("t1_network", task="aseg", by_headers=False)
    for pair in pairs:
        fixed, moving = read_image(pair.fixed.path), read_image(pair.moving.path)
        maps = [read_labels(scan.labels) for scan in (pair.fixed, pair.moving)]
        for name, change in BREAKS.items():
            other = Image(np.ascontiguousarray(change(moving.array)), moving.affine)
            field = registration(fixed, other).field
            yield name, judge((fixed, other), (maps[0], change(maps[1])), field)


def report(name: str, records: list[Record]) -> None:
    """Sum a run up in a line."""
    true, estimates = (
        np.array([record.true for record in records]),
        np.array([record.estimate.dice for record in records]),
    )
    suspect = sum(record.estimate.suspect is not None for record in records)
    print(
        f"{name}: {len(records)} fields, true Dice {true.mean():.4f}, estimated "
        f"{estimates.mean():.4f} ({estimates.min():.3f} to {estimates.max():.3f}), "
        f"{suspect} suspect"
    )


def main(
    dataset: Annotated[Path, typer.Argument(help="pair list of a folder with label maps")],
    fields: Annotated[list[Path], typer.Option(help="fields of a run of the list")],
    broken_pairs: Annotated[int, typer.Option("--broken", help="pairs to break")] = 1,
    weights: Annotated[Path, typer.Option(help="of a segmentation")] = Path("t1_anatomy"),
) -> None:
    """Print the agreement."""
    print(describe())
    pairs = read_pairs(dataset, dataset.parent)
    segmenter = Segmenter.from_weights(weights, torch.device("cpu"))
    segmented(pairs, segmenter)
    judge = Judge(segmenter)
    found = runs(pairs, fields, judge)
    for name, records in found.items():
        report(name, records)
    both = [(record.true, record.estimate.dice) for run in found.values() for record in run]
    print(f"Spearman's rank correlation over all fields: {spearmanr(both).statistic:.3f}")
    for name, record in broken(pairs[:broken_pairs], judge):
        said = record.estimate.suspect or "not suspect"
        print(f"{name}: true Dice {record.true:.3f}, estimated {record.estimate.dice:.3f}, {said}")


if __name__ == "__main__":
    typer.run(main)
