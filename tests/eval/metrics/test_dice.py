"""Overlap of structures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.metrics.base import mean_of_defined
from eval.metrics.dice import Dice, overlaps
from eval.structures import index_map
from tests.eval import oracles
from tests.eval.conftest import LABELS, Phantom, save

COUNT = 3
index_maps = arrays(np.uint8, (5, 4, 3), elements=st.integers(0, COUNT))


def slab(start: int, stop: int) -> np.ndarray:
    volume = np.zeros((12, 3, 3), np.uint8)
    volume[start:stop] = 1
    return volume


@pytest.mark.parametrize(
    ("moved_by", "expected"), [(0, 1.0), (1, 0.75), (2, 0.5), (4, 0.0)], ids=str
)
def test_a_four_voxel_slab_loses_a_quarter_per_voxel(moved_by: int, expected: float) -> None:
    assert overlaps(slab(1, 5), slab(1 + moved_by, 5 + moved_by), 1).tolist() == [expected]


def test_a_structure_of_neither_map_is_not_defined() -> None:
    assert np.isnan(overlaps(slab(0, 0), slab(0, 0), 1)).tolist() == [True]


def test_a_structure_of_one_map_does_not_overlap() -> None:
    assert overlaps(slab(0, 4), slab(0, 0), 1).tolist() == [0.0]


@settings(deadline=None)
@given(index_maps, index_maps)
def test_it_is_symmetric_bounded_and_the_packages(a: np.ndarray, b: np.ndarray) -> None:
    forward = overlaps(a, b, COUNT)
    np.testing.assert_array_equal(forward, overlaps(b, a, COUNT))
    for place, value in enumerate(forward, start=1):
        if (a == place).any() or (b == place).any():
            assert 0 <= value <= 1
            assert value == oracles.dice(a == place, b == place)
        else:
            assert np.isnan(value)


@settings(deadline=None)
@given(index_maps, index_maps, st.permutations(range(COUNT)))
def test_naming_the_labels_anew_only_reorders(
    a: np.ndarray, b: np.ndarray, order: list[int]
) -> None:
    ids = tuple(place + 1 for place in order)
    renamed = overlaps(index_map(a, ids), index_map(b, ids), COUNT)
    np.testing.assert_array_equal(renamed, overlaps(a, b, COUNT)[order])


@settings(deadline=None)
@given(index_maps)
def test_a_map_overlaps_with_itself(a: np.ndarray) -> None:
    assert set(overlaps(a, a, COUNT)[np.unique(a[a > 0]) - 1]) <= {1.0}


def test_labels_of_one_map_only_are_left_out_and_the_background_is_not(phantom: Phantom) -> None:
    labels = np.zeros((20, 18, 16), np.uint8)
    labels[2:8, 2:8, 2:8] = 1
    labels[12:15, 12:15, 12:15] = 2
    save(phantom.folder / "labelsVal/PHANTOM_0002_0000.nii.gz", labels)
    labels[labels == 2] = 3
    save(phantom.folder / "labelsVal/PHANTOM_0001_0000.nii.gz", labels)
    result = Dice(name="DSC")(phantom.case(0))
    scored = [label for label, v in zip(LABELS, result.detailed, strict=True) if not np.isnan(v)]
    assert scored == [0, 1]
    assert result.mean == np.mean([v for v in result.detailed if not np.isnan(v)])


def test_a_structure_that_vanishes_in_warping_counts_as_nothing(phantom: Phantom) -> None:
    case = phantom.case(0)
    case.vectors[...] = 1000
    result = Dice(name="DSC")(case)
    assert result.detailed[1:5] == (0, 0, 0, 0)
    assert result.detailed[0] > 0.5  # where the field leaves the image there is background
    assert result.unregistered > result.mean


def test_no_common_label_gives_no_mean(phantom: Phantom) -> None:
    case = replace(phantom.case(0), labels=(9, 77))
    assert np.isnan(Dice(name="DSC")(case).mean)


@pytest.mark.golden
def test_the_published_overlaps_are_reproduced(golden) -> None:
    vectors = golden("metrics")
    ids = tuple(vectors["seg.labels"].tolist())
    fixed, warped = (index_map(vectors[f"seg.{name}"], ids) for name in ("fixed", "warped"))
    in_both = np.isin(ids, vectors["seg.fixed"]) & np.isin(ids, vectors["seg.moving"])
    values = np.where(in_both, overlaps(fixed, warped, len(ids)), np.nan)
    np.testing.assert_allclose(values, vectors["seg.dice"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        mean_of_defined(values), vectors["seg.mean_dice"], rtol=0, atol=1e-10
    )
