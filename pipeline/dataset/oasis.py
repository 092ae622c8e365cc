"""OASIS, as neurite, as Learn2Reg or as TransMorph's authors share it.

    neurite      OASIS_OAS1_0001_MR1/aligned_norm.nii.gz, aligned_seg35.nii.gz, ...
    Learn2Reg    imagesTr/OASIS_0001_0000.nii.gz, labelsTr/..., imagesTs/...
    TransMorph   All/*.pkl, Test/p_0438_0439.pkl, see `oasis_pickles`

Of the 414 labelled subjects the last 20 make the 19 validation pairs, each with the next one, and
394 are left to train on; Learn2Reg's 39 test images make 38 pairs.
"""

import re
from pathlib import Path

import numpy as np

from l2r.errors import DatasetError
from pipeline.dataset import oasis_pickles
from pipeline.dataset.choice import SplitChoice, sampled
from pipeline.dataset.files import NiftiSubject
from pipeline.dataset.subjects import SplitPlan, Subject

_VALIDATED = 20
"""Subjects at the end of the list, whose pairs Learn2Reg validates."""
_NEURITE = re.compile(r"OASIS_OAS1_(\d{4})_MR1")


def plan(source: Path, choice: SplitChoice) -> SplitPlan:
    """Random pairs to train on, Learn2Reg's pairs to validate and to test.

    Raises:
        DatasetError: the folder has none of the layouts, or too few subjects.
    """
    if (source / oasis_pickles.PAIRS).is_dir():
        return oasis_pickles.plan(source, choice)
    labelled, test = _learn2reg(source) if (source / "imagesTr").is_dir() else _neurite(source)
    last = _VALIDATED
    if choice.counts is not None and len(choice.counts) > 1:
        last = choice.counts[1] + 1  # so many pairs
    if len(labelled) <= last:
        raise DatasetError(
            f"{source}: {len(labelled)} labelled subjects, the last {last} of which would be "
            "validated; give --counts training images,validation pairs"
        )
    training = sampled(labelled[:-last], choice, 0)
    return SplitPlan(training, labelled[-last:], test)


def _learn2reg(source: Path) -> tuple[list[Subject], list[Subject]]:
    def subjects(folder: str) -> list[Subject]:
        paths = sorted((source / folder).glob("OASIS_*_0000.nii.gz"))
        return [
            NiftiSubject(
                path.name.removesuffix(".nii.gz"),
                path,
                _existing(source / folder.replace("images", "labels") / path.name),
                kind=np.uint8,
            ).subject
            for path in paths
        ]

    return subjects("imagesTr"), subjects("imagesTs")


def _neurite(source: Path) -> tuple[list[Subject], list[Subject]]:
    found = []
    for folder in sorted(source.iterdir()) if source.is_dir() else []:
        numbered = _NEURITE.fullmatch(folder.name)
        image, labels = folder / "aligned_norm.nii.gz", folder / "aligned_seg35.nii.gz"
        if numbered and image.is_file():
            name = f"OASIS_{numbered[1]}_0000"
            found.append(NiftiSubject(name, image, labels, kind=np.uint8).subject)
    if not found:
        raise DatasetError(
            f"{source}: neither OASIS_OAS1_*_MR1 folders of neurite nor imagesTr of Learn2Reg nor "
            "All and Test of TransMorph"
        )
    return found, []


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
