"""Mindboggle-101: manually labelled cortices, of which the volumes in MNI152 are used.

<cohort>_volumes/<subject>/t1weighted_brain.MNI152.nii.gz
                           labels.DKT31.manual.MNI152.nii.gz
"""

from pathlib import Path

import numpy as np

from l2r.errors import DatasetError
from pipeline.dataset.choice import SplitChoice, split
from pipeline.dataset.files import NiftiSubject
from pipeline.dataset.subjects import SplitPlan, Subject

IMAGE = "t1weighted_brain.MNI152.nii.gz"
LABELS = "labels.DKT31.manual.MNI152.nii.gz"


def plan(source: Path, choice: SplitChoice) -> SplitPlan:
    """Random pairs to train on, chains of subjects to validate and to test.

    Raises:
        DatasetError: no subject is found, or there are too few.
    """
    subjects = [
        _subject(number, path)
        for number, path in enumerate(sorted(source.rglob(IMAGE)), start=1)
        if (path.parent / LABELS).is_file()
    ]
    if not subjects:
        raise DatasetError(f"{source}: no folder in it holds both {IMAGE} and {LABELS}")
    parts = [subjects] if choice.counts is None else split(subjects, choice.counts, choice.seed)
    return SplitPlan.of(parts)


def _subject(number: int, path: Path) -> Subject:
    name = f"Mindboggle_{number:04}_0000"
    return NiftiSubject(name, path, path.parent / LABELS, kind=np.int16).subject
