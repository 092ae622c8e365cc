"""Subjects of a data set, its plan of splits, and the folder that is written."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from l2r.console import Advance
from l2r.disk import make_folder, writing
from l2r.errors import ImageError
from l2r.formats.volumes import write_volume

FOLDERS = {"training": "Tr", "validation": "Val", "test": "Ts"}
"""End of the folders' names, by split."""


class LabelledVolume(NamedTuple):
    """An image and its label map on one grid."""

    image: Shaped[np.ndarray, "x y z"]
    labels: Shaped[np.ndarray, "x y z"] | None
    """None where the organisers keep them."""
    affine: Float[np.ndarray, "4 4"]


@dataclass(frozen=True)
class Subject:
    """One subject of a source, which is read when it is written."""

    name: str
    """Of the file that is written, without its suffix."""
    load: Callable[[], LabelledVolume]


@dataclass(frozen=True)
class SplitPlan:
    """The subjects of each split."""

    training: list[Subject]
    validation: list[Subject] = field(default_factory=list)
    test: list[Subject] = field(default_factory=list)
    atlas: Subject | None = None
    """Moved onto every subject; without it the training has images, and other splits pairs of each
    subject with the next one."""

    @classmethod
    def of(cls, parts: Sequence[list[Subject]], atlas: Subject | None = None) -> "SplitPlan":
        """The plan of up to three parts, in the order of the splits."""
        training, validation, test = [*parts, [], []][:3]
        return cls(training, validation, test, atlas)

    def subjects(self, split: str) -> list[Subject]:
        """The subjects of a split, the atlas with those of the training."""
        extra = [self.atlas] if split == "training" and self.atlas else []
        return [*extra, *self._own(split)]

    def listed(self) -> dict[str, list[dict[str, str]]]:
        """Lists of the pair list, by split."""
        if self.atlas is None:
            images = [{"image": _path("training", one.name)} for one in self.training]
            others = {split: _chained(split, self._own(split)) for split in FOLDERS}
            return others | {"training": images}
        atlas = _path("training", self.atlas.name)
        return {
            split: [{"fixed": _path(split, one.name), "moving": atlas} for one in self._own(split)]
            for split in FOLDERS
        }

    def _own(self, split: str) -> list[Subject]:
        return {"training": self.training, "validation": self.validation, "test": self.test}[split]


def write_dataset(folder: Path, name: str, plan: SplitPlan, advance: Advance) -> Path:
    """Write images, label maps and the pair list, which comes last.

    Args:
        folder: is made where it is missing.
        name: of the data set, begins the list's name.
        plan: subjects by split.
        advance: called for each subject.

    Returns:
        The pair list.

    Raises:
        ImageError: a subject cannot be used.
        OutputError: the folder cannot be written to.
    """
    for split in FOLDERS:
        for subject in plan.subjects(split):
            _write(folder, split, subject)
            advance(subject.name)
    content = {"name": name, **plan.listed()}
    path = folder / f"{name}_dataset.json"
    with writing(path) as file:
        file.write(json.dumps(content, indent=1).encode())
    return path


def _write(folder: Path, split: str, subject: Subject) -> None:
    volume = subject.load()
    if volume.labels is not None and volume.labels.shape != volume.image.shape:
        raise ImageError(
            f"{subject.name}: image {volume.image.shape} and label map {volume.labels.shape} have "
            "different shapes"
        )
    arrays = {"images": volume.image, "labels": volume.labels}
    for kind, array in arrays.items():
        if array is not None:
            place = folder / f"{kind}{FOLDERS[split]}"
            make_folder(place)
            write_volume(place / f"{subject.name}.nii.gz", array, volume.affine)


def _path(split: str, name: str) -> str:
    return f"./images{FOLDERS[split]}/{name}.nii.gz"


def _chained(split: str, subjects: Sequence[Subject]) -> list[dict[str, str]]:
    paths = [_path(split, one.name) for one in subjects]
    return [{"fixed": fixed, "moving": moving} for fixed, moving in pairwise(paths)]
