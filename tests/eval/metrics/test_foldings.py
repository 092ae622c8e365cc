"""Counts of folded voxels: the right share, and the scorers' 0."""

import numpy as np
import pytest

from eval.metrics.nonpositive import NonPositive
from eval.metrics.num_foldings import NumFoldings
from tests.eval import oracles
from tests.eval.conftest import SHAPE, Phantom, save

INNER = (SHAPE[0] - 2) * (SHAPE[1] - 2) * (SHAPE[2] - 2)


def still(phantom: Phantom):
    case = phantom.case(0)
    case.vectors[...] = 0
    return case


def test_a_mirrored_field_folds_everywhere(phantom: Phantom) -> None:
    case = still(phantom)
    case.vectors[..., 1] = -2 * np.arange(SHAPE[1])[:, None]
    assert NonPositive(name="N")(case).mean == 100.0


def test_a_collapsed_voxel_counts_and_a_squeezed_one_does_not(phantom: Phantom) -> None:
    case = still(phantom)
    case.vectors[9, 9, 9, 0] = 2.0  # J is 1 + (u(x+1) - u(x-1)) / 2, so 0 at x = 10
    assert NonPositive(name="N")(case).mean == pytest.approx(100 / INNER)
    case = still(phantom)
    case.vectors[9, 9, 9, 0] = 1.9
    assert NonPositive(name="N")(case).mean == 0.0


def test_it_is_in_percent_of_the_foreground_if_that_is_asked_for(phantom: Phantom) -> None:
    image = np.zeros(SHAPE, np.uint8)
    image[10:12, 9, 9] = 7
    save(phantom.folder / "imagesVal/PHANTOM_0002_0000.nii.gz", image)
    save(phantom.folder / "masksVal/PHANTOM_0001_0000.nii.gz", 1 - (image > 0).astype(np.uint8))
    case = still(phantom)
    case.vectors[9, 9, 9, 0] = 2.0
    assert NonPositive(name="N", mask="fixed")(case).mean == 50.0
    assert NonPositive(name="N", mask="moving", folder="masks")(case).mean == 0.0


def test_without_foreground_there_is_no_percentage(phantom: Phantom) -> None:
    image = np.zeros(SHAPE, np.uint8)
    image[0] = 7
    save(phantom.folder / "imagesVal/PHANTOM_0002_0000.nii.gz", image)
    assert np.isnan(NonPositive(name="N", mask="fixed")(phantom.case(0)).mean)


def test_the_scorers_number_is_0_and_the_note_has_the_right_one(phantom: Phantom) -> None:
    case = phantom.case(0)
    case.vectors[...] *= 3
    determinants = oracles.jacobian(case.vectors.astype(float))
    count = int((determinants <= 0).sum())
    assert count > 0
    result = NumFoldings(name="num_foldings")(case)
    assert (result.mean, result.detailed) == (0.0, 0.0)
    assert result.note == (f"{count} of {determinants.size} voxels fold; the scorer always finds 0")


def test_nothing_is_noted_where_nothing_folds(phantom: Phantom) -> None:
    assert NumFoldings(name="num_foldings")(still(phantom)).note == ""
