"""OASIS as TransMorph's authors share it, `OASIS_L2R_2021_task03` with pickles of arrays.

    All/*.pkl               image and labels of a subject to train on
    Test/p_0438_0439.pkl    moving image, fixed image and their labels, of a pair to validate

Arrays are 160 x 192 x 224, and are written with Learn2Reg's order of axes, 160 x 224 x 192. The
numbers in a name are those of the fixed and of the moving image, as in `disp_0438_0439`, unless the
next pair shows that they are exchanged: neighbouring pairs have an image in common.

Source:
    OASIS/TransMorph_on_OASIS.md of TransMorph's repository, and the `datasets.py`,
    `train_TransMorph.py` and `submit_TransMorph.py` beside it.
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from l2r.errors import DatasetError
from pipeline.dataset.arrays import read_arrays
from pipeline.dataset.choice import SplitChoice, sampled
from pipeline.dataset.subjects import LabelledVolume, SplitPlan, Subject

PAIRS = "Test"
_PAIR = re.compile(r"p_(\d{4})_(\d{4})")
_MOVING, _FIXED = 0, 1
"""Places in the pickle of a pair; the labels follow in the same order."""


def plan(source: Path, choice: SplitChoice) -> SplitPlan:
    """Random pairs of `All` to train on, the pairs of `Test` to validate; `counts` takes so many.

    Raises:
        DatasetError: the folders are not those, or the pairs do not follow each other.
        ImageError: a pair cannot be read.
    """
    paths = sorted((source / PAIRS).glob("*.pkl"))
    pairs = [(path, found.groups()) for path in paths if (found := _PAIR.fullmatch(path.stem))]
    if choice.counts is not None and len(choice.counts) > 1:
        pairs = pairs[: choice.counts[1]]
    if not pairs:
        raise DatasetError(f"{source / PAIRS}: no p_0438_0439.pkl or another pair")
    chain = [pairs[0][1][0], *(second for _, (_, second) in pairs)]
    if [first for _, (first, _) in pairs] != chain[:-1]:
        raise DatasetError(
            f"{source / PAIRS}: each pair must begin with the second image of the one before"
        )
    place = _place_of_first([path for path, _ in pairs])
    subjects = [_of_pair(first, path, place) for path, (first, _) in pairs]
    subjects.append(_of_pair(chain[-1], pairs[-1][0], 1 - place))
    return SplitPlan(sampled(_training(source, set(chain)), choice, 0), subjects)


def _training(source: Path, validated: set[str]) -> list[Subject]:
    """Subjects of `All` but those that are validated."""
    subjects = [_alone(path) for path in sorted((source / "All").glob("*.pkl"))]
    found = [one for one in subjects if one.name not in {_name(number) for number in validated}]
    if not found:
        raise DatasetError(f"{source}: no All/*.pkl; expected All and {PAIRS} with pickles")
    return found


def _place_of_first(paths: list[Path]) -> int:
    """The place of the image that a pair's name has first.

    Raises:
        DatasetError: the second pair has no image of the first one.
    """
    if len(paths) == 1:
        return _FIXED
    first, second = (read_arrays(path, 4) for path in paths[:2])
    for place in (_FIXED, _MOVING):
        if np.array_equal(first[1 - place], second[place]):
            return place
    raise DatasetError(f"{paths[1]}: no image of it is one of {paths[0].name}, as its name says")


def _alone(path: Path) -> Subject:
    numbers = re.findall(r"\d+", path.stem)
    name = _name(f"{int(numbers[-1]):04}") if numbers else f"OASIS_{path.stem}"
    return Subject(name, lambda: _volume(*read_arrays(path, 2)))


def _of_pair(number: str, path: Path, place: int) -> Subject:
    def load() -> LabelledVolume:
        arrays = read_arrays(path, 4)
        return _volume(arrays[place], arrays[2 + place])

    return Subject(_name(number), load)


def _volume(image: Shaped[np.ndarray, "..."], labels: Shaped[np.ndarray, "..."]) -> LabelledVolume:
    image, labels = (array.squeeze().transpose(0, 2, 1) for array in (image, labels))
    return LabelledVolume(image.astype(np.float32), labels.astype(np.uint8), np.eye(4))


def _name(number: str) -> str:
    return f"OASIS_{number}_0000"
