"""Nearest points on a grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from eval.metrics.nearest import MARGIN, nearest_distances, new_gaps

GRID = (2 * MARGIN + 30, 2 * MARGIN + 4, 2 * MARGIN + 5)
points = st.tuples(st.integers(0, 29), st.integers(0, 3), st.integers(0, 4))
point_sets = st.sets(points, min_size=1, max_size=12).map(sorted)
spacings = st.sampled_from([(1.0, 1.0, 1.0), (0.7, 1.0, 2.5), (3.0, 1.5, 0.4)])


def places(found: list[tuple[int, int, int]]) -> np.ndarray:
    return np.ravel_multi_index(tuple(np.transpose(found) + MARGIN), GRID, order="F")


@settings(deadline=None, max_examples=100)
@given(point_sets, point_sets, spacings)
def test_distances_are_those_of_all_points_to_all(start, end, spacing) -> None:
    found = nearest_distances(places(start), places(end), GRID, spacing, new_gaps(GRID))
    everything = cdist(np.array(start) * spacing, np.array(end) * spacing)
    np.testing.assert_allclose(found, everything.min(axis=1), rtol=1e-14)  # its last bit


@pytest.mark.parametrize("apart", [0, 1, MARGIN, MARGIN + 1, 29])
def test_two_points_are_as_far_apart_as_they_are(apart: int) -> None:
    start, end = places([(0, 1, 1)]), places([(apart, 1, 1)])
    assert nearest_distances(start, end, GRID, (1.0, 1.0, 1.0), new_gaps(GRID)).tolist() == [apart]


def test_a_point_across_rows_is_nearer_than_one_far_along_its_row() -> None:
    start, end = places([(10, 0, 0)]), places([(14, 0, 0), (10, 2, 2)])
    found = nearest_distances(start, end, GRID, (1.0, 1.0, 1.0), new_gaps(GRID))
    assert found.tolist() == [np.sqrt(8)]


def test_the_scratch_is_left_as_it_was() -> None:
    gaps = new_gaps(GRID)
    nearest_distances(
        places([(0, 0, 0)]), places([(29, 3, 4), (0, 0, 0)]), GRID, (1.0, 1.0, 1.0), gaps
    )
    np.testing.assert_array_equal(gaps, new_gaps(GRID))
