"""Distances between surfaces."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.metrics import distances
from eval.metrics.distances import between_masks
from eval.metrics.surface import VOXELS
from tests.eval import oracles

masks = arrays(np.bool_, (6, 5, 4), elements=st.booleans())
sparse_masks = arrays(np.bool_, (7, 6, 5), elements=st.just(True), fill=st.just(False))


def robust_hausdorff(a: np.ndarray, b: np.ndarray, percent: float, spacing=VOXELS) -> float:
    return between_masks(a, b, partial(distances.robust_hausdorff, percent=percent), spacing)


def mean_distance(a: np.ndarray, b: np.ndarray, spacing=VOXELS) -> float:
    return between_masks(a, b, distances.mean_distance, spacing)


def cube(start: tuple[int, int, int], size: int, shape: tuple[int, int, int] = (20, 9, 9)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(s, s + size) for s in start)] = True
    return mask


@pytest.mark.parametrize("apart", [0, 1, 2, 7])
def test_two_voxels_are_as_far_apart_as_they_are(apart: int) -> None:
    assert robust_hausdorff(cube((3, 4, 4), 1), cube((3 + apart, 4, 4), 1), 95.0) == apart


def test_a_shifted_cube_is_a_shift_away() -> None:
    assert robust_hausdorff(cube((2, 2, 2), 4), cube((5, 2, 2), 4), 95.0) == 3.0


def test_a_few_far_voxels_do_not_count() -> None:
    a = cube((1, 1, 1), 7)
    b = a | cube((18, 8, 8), 1)
    assert robust_hausdorff(a, b, 95.0) == 0.0
    assert robust_hausdorff(a, b, 100.0) > 10


def test_an_empty_mask_is_infinitely_far() -> None:
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    for a, b in ((empty, full), (full, empty), (empty, empty)):
        assert robust_hausdorff(a, b, 95.0) == float("inf")


@pytest.mark.parametrize("thickness", [1, 2])
def test_structures_at_the_border_have_a_surface_there(thickness: int) -> None:
    a, b = np.zeros((2, 8, 4, 4), bool)
    a[:thickness], b[-thickness:] = True, True
    expected = oracles.hd95(a, b)
    assert robust_hausdorff(a, b, 95.0) == expected == 8 - thickness


@settings(deadline=None, max_examples=60)
@given(masks | sparse_masks.map(lambda m: m[:6, :5, :4]), masks)
def test_it_is_symmetric_and_the_packages_to_the_last_bit(a: np.ndarray, b: np.ndarray) -> None:
    assume(a.any() and b.any())
    distance = robust_hausdorff(a, b, 95.0)
    assert distance == robust_hausdorff(b, a, 95.0) == oracles.hd95(a, b)
    assert 0 <= distance <= np.sqrt(6**2 + 5**2 + 4**2)


def test_it_is_the_packages_on_smooth_shapes() -> None:
    index = np.indices((24, 22, 20)).T
    a = (((index - (11, 10, 9)) / (8, 6, 5)) ** 2).sum(-1).T < 1
    b = (((index - (12, 12, 9)) / (7, 7, 4)) ** 2).sum(-1).T < 1
    assert robust_hausdorff(a, b, 95.0) == oracles.hd95(a, b)


spacings = st.tuples(*3 * [st.sampled_from([0.3, 0.7, 1.0, 2.5])])


@settings(deadline=None, max_examples=60)
@given(masks, masks, spacings, st.sampled_from([0.0, 50.0, 95.0, 100.0]))
def test_voxels_may_have_unequal_sides(a, b, spacing, percent: float) -> None:
    assume(a.any() and b.any())
    expected = oracles.hd95(a, b, spacing, percent)
    assert robust_hausdorff(a, b, percent, spacing) == expected
    assert mean_distance(a, b, spacing) == pytest.approx(oracles.assd(a, b, spacing), rel=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.5, 1.5)], ids=str)
@pytest.mark.parametrize("apart", [4, 5, 6, 11, 15])
def test_surfaces_far_apart_are_found_too(apart: int, spacing) -> None:
    a, b = cube((0, 1, 2), 4), cube((apart, 2, 3), 5)
    b[19, 8, 8] = True
    for percent in (20.0, 95.0, 100.0):
        assert robust_hausdorff(a, b, percent, spacing) == oracles.hd95(a, b, spacing, percent)
    assert mean_distance(a, b, spacing) == pytest.approx(oracles.assd(a, b, spacing), rel=1e-12)


@pytest.mark.parametrize("percent", [87.5, 50.0, 12.5])
def test_a_quantile_between_two_distances_is_the_packages(percent: float) -> None:
    """One of eight equal voxels is far away, so the share of area is met to the last bit."""
    a, b = np.zeros((2, 40, 3, 3), bool)
    a[0:32:4, 1, 1] = b[0:28:4, 1, 1] = b[30, 1, 1] = True
    assert robust_hausdorff(a, b, percent) == oracles.hd95(a, b, percent=percent)


def test_the_mean_distance_of_two_single_voxels_is_their_distance() -> None:
    a, b = cube((3, 4, 4), 1), cube((8, 4, 4), 1)
    assert mean_distance(a, b) == pytest.approx(4.5, abs=0.5)
    assert mean_distance(a, b) == mean_distance(b, a)


def test_the_mean_distance_of_an_empty_mask_is_infinite() -> None:
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    assert mean_distance(empty, full) == mean_distance(full, empty) == float("inf")


@settings(deadline=None, max_examples=40)
@given(masks, masks, st.sets(st.integers(0, 2)))
def test_mirroring_both_masks_changes_nothing(a, b, axes: set[int]) -> None:
    turned = [np.flip(mask, tuple(axes)) for mask in (a, b)]
    for percent in (50.0, 100.0):
        assert robust_hausdorff(*turned, percent) == robust_hausdorff(a, b, percent)


@settings(deadline=None, max_examples=40)
@given(masks, masks, st.integers(0, 3), st.integers(0, 3))
def test_room_around_the_structures_does_not_matter(
    a: np.ndarray, b: np.ndarray, before: int, after: int
) -> None:
    padded = [np.pad(mask, (before, after)) for mask in (a, b)]
    assert robust_hausdorff(*padded, 95.0) == robust_hausdorff(a, b, 95.0)


@settings(deadline=None, max_examples=40)
@given(masks)
def test_a_shape_is_not_far_from_itself(a: np.ndarray) -> None:
    assert robust_hausdorff(a, a, 95.0) == (0.0 if a.any() else float("inf"))
