"""IXI as TransMorph's authors share it: `IXI_data/{Train,Val,Test}/subject_*.pkl` and `atlas.pkl`.

A pickle holds an image in [0, 1] and FreeSurfer's labels, both 160 x 192 x 224. The published
scores count the labels by their places in a table of 46, of which 30 are compared. Images are
written from 0 to 255, as those of LUMIR are; the task divides them again.

Source:
    IXI/TransMorph_on_IXI.md of TransMorph's repository; `Seg_norm` of its transforms.
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from l2r.errors import DatasetError, ImageError
from pipeline.dataset.arrays import read_arrays
from pipeline.dataset.choice import SplitChoice, sampled
from pipeline.dataset.subjects import LabelledVolume, SplitPlan, Subject

LABELS = (
    0, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 24, 26, 28, 30, 31, 41, 42, 43, 44, 46,
    47, 49, 50, 51, 52, 53, 54, 58, 60, 62, 63, 72, 77, 80, 85, 251, 252, 253, 254, 255,
)  # fmt: skip
"""FreeSurfer's numbers; the place in this table is the new one."""
_SUBJECT = re.compile(r"subject_(\d+)")


def plan(source: Path, choice: SplitChoice) -> SplitPlan:
    """The atlas onto each subject, in the folders' own split or in a sample of it.

    Raises:
        DatasetError: the folders are not those.
    """
    folder = source / "IXI_data" if (source / "IXI_data").is_dir() else source
    splits = []
    for number, name in enumerate(("Train", "Val", "Test")):
        paths = sorted(folder.glob(f"{name}/*.pkl"))
        if not paths:
            raise DatasetError(
                f"{folder}: no {name}/*.pkl; expected IXI_data with Train, Val, Test and atlas.pkl"
            )
        splits.append([_subject(path) for path in sampled(paths, choice, number)])
    atlas = folder / "atlas.pkl"
    if not atlas.is_file():
        raise DatasetError(f"{atlas}: no such file; it is what is moved onto every subject")
    return SplitPlan.of(splits, Subject("IXI_atlas", lambda: _load(atlas)))


def reindexed(labels: Shaped[np.ndarray, "x y z"], where: Path) -> Shaped[np.ndarray, "x y z"]:
    """The place of each label in the table.

    Raises:
        ImageError: a label that the table does not have.
    """
    found = np.unique(labels)
    if not set(found.tolist()) <= set(LABELS):
        unknown = sorted(set(found.tolist()) - set(LABELS))
        raise ImageError(f"{where}: label {unknown[0]:g} is none of the {len(LABELS)} of IXI")
    return np.searchsorted(LABELS, labels).astype(np.uint8)


def _subject(path: Path) -> Subject:
    found = _SUBJECT.fullmatch(path.stem)
    name = f"IXI_{int(found[1]):04}_0000" if found else f"IXI_{path.stem}"
    return Subject(name, lambda: _load(path))


def _load(path: Path) -> LabelledVolume:
    image, labels = read_arrays(path, 2)
    return LabelledVolume(255 * image.astype(np.float32), reindexed(labels, path), np.eye(4))
