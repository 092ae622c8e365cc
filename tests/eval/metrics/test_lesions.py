"""Tumour burden before and after."""

from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from eval.metrics.base import Case
from eval.metrics.lesions import LesionBurden, percent_error
from eval.truth import GroundTruth
from l2r.pairs import Pair, Scan
from tests.eval.conftest import save

SHAPE = (8, 6, 5)


def made(folder: Path, shift: float, pet: np.ndarray) -> Case:
    """A lesion of 2 x 2 x 2 voxels from (1, 1, 1), and a field that moves along the first axis."""
    lesion = np.zeros(SHAPE, np.uint8)
    lesion[1:3, 1:3, 1:3] = 5
    scans = [
        Scan(PurePosixPath("imagesVal", name), folder / "imagesVal" / name)
        for name in ("f.nii", "m.nii")
    ]
    for scan in scans:
        save(folder / "labelsVal" / scan.relative.name, lesion)
        save(folder / "petVal" / scan.relative.name, pet.astype(np.float32))
    vectors = np.zeros((*SHAPE, 3), np.float32)
    vectors[..., 0] = shift
    return Case(Pair(*scans), vectors, GroundTruth(folder))


ONES = np.ones(SHAPE)
RAMP = np.broadcast_to(np.arange(1.0, 9.0)[:, None, None], SHAPE)
"""1 to 8 along the first axis; the lesion has 4 * 2 + 4 * 3 = 20."""
MTV = LesionBurden(name="MTV")
TLG = LesionBurden(name="TLG", uptake="pet")


@pytest.mark.parametrize(
    ("shift", "mtv", "official", "right"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (-1.0, 0.0, 100 * (28 - 20) / 20, 0.0),  # the lesion stands one voxel later: 12 + 16
        (2.0, 50.0, 100 * (20 - 4) / 20, 100 * 8 / 20),  # half of it leaves the grid
        (-100.0, 100.0, 100.0, 100.0),
    ],
)
def test_a_moved_lesion_keeps_its_burden_but_not_for_the_scorer(
    shift: float, mtv: float, official: float, right: float, tmp_path: Path
) -> None:
    case = made(tmp_path, shift, RAMP)
    assert MTV(case).mean == pytest.approx(mtv)
    result = TLG(case)
    assert result.mean == pytest.approx(official)
    expected = f"{right:.4f} where the PET is warped along with the lesions"
    assert result.note == ("" if official == right else expected)


def test_with_the_same_uptake_everywhere_both_are_the_same(tmp_path: Path) -> None:
    case = made(tmp_path, 2.0, np.where(RAMP > 7, 1.5, 1.0))
    assert TLG(case).mean == MTV(case).mean == 50


def test_without_lesions_any_change_is_enormous_as_the_scorer_has_it() -> None:
    assert percent_error(0.0, 0.0) == 0
    assert percent_error(0.0, 1.0) == pytest.approx(1e8)


def test_uptake_that_goes_along_with_its_lesion_is_the_same_in_the_end(tmp_path: Path) -> None:
    pet = np.random.default_rng(1).uniform(1, 9, SHAPE)
    result = TLG(made(tmp_path, -1.0, pet))
    before, after = pet[1:3, 1:3, 1:3].sum(), pet[2:4, 1:3, 1:3].sum()
    assert result.mean == pytest.approx(100 * abs(after - before) / before, rel=1e-5)
    assert result.note.startswith("0.0000 where the PET is warped along")
