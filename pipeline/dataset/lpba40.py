"""LPBA40: forty brains, S01 to S40, with 56 structures each.

Files may lie in any folders and be NIfTI or Analyze, as they come from LONI or from a repository:
`S01.delineation.skullstripped.*` and `S01.delineation.structure.label.*`, or `train/S01.nii.gz` and
`label/S01.nii.gz`. The word `label` in a name, or in that of its folder, makes a file a label map.
S01 is the atlas.
"""

import re
from pathlib import Path

import numpy as np

from l2r.errors import DatasetError
from pipeline.dataset.choice import SplitChoice, split
from pipeline.dataset.files import NiftiSubject
from pipeline.dataset.subjects import SplitPlan, Subject

ATLAS = "01"
_FILE = re.compile(r"[Ss](\d\d)\b.*\.(nii|nii\.gz|img|img\.gz)")


def plan(source: Path, choice: SplitChoice) -> SplitPlan:
    """Each subject moved onto, or from, the atlas S01; `--counts` says how many of each split.

    Raises:
        DatasetError: subjects have no image or no label map, or there is no S01.
    """
    images, labels = _files(source)
    if ATLAS not in images:
        raise DatasetError(f"{source}: no image of S01, which is the atlas")
    if missing := sorted(set(images) - set(labels)):
        raise DatasetError(f"{source}: S{missing[0]} has no label map (`label` in its name)")
    others = [_subject(key, images, labels) for key in sorted(images) if key != ATLAS]
    parts: list[list[Subject]] = [others]
    if choice.counts is not None:
        parts = split(others, choice.counts, choice.seed)
    return SplitPlan.of(parts, _subject(ATLAS, images, labels))


def _files(source: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and label maps by the subject's two digits."""
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for path in sorted(source.rglob("[Ss][0-9][0-9]*")):
        found = _FILE.fullmatch(path.name)
        if found is None:
            continue
        named = f"{path.parent.name}/{path.name}".lower()
        table = labels if "label" in named else images
        if found[1] in table:
            raise DatasetError(f"{path}: a second file of S{found[1]} beside {table[found[1]]}")
        table[found[1]] = path
    return images, labels


def _subject(key: str, images: dict[str, Path], labels: dict[str, Path]) -> Subject:
    name = f"LPBA40_00{key}_0000"
    return NiftiSubject(name, images[key], labels[key], kind=np.uint8).subject
