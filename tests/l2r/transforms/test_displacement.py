"""Displacement fields by hand, by scipy, and their inverses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from l2r.transforms.displacement import TOLERANCE_VOX, DisplacementTransform
from l2r.transforms.grids import Grid, Places, slab_of
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points

UNIT = Grid((6, 5, 4), np.eye(4))
SHIFTS = st.tuples(*[st.floats(-1.4, 1.4)] * 3)


def constant(vector: tuple[float, ...], grid: Grid = UNIT) -> DisplacementTransform:
    return DisplacementTransform(grid, np.full((*grid.shape, 3), vector, np.float64))


def test_vectors_count_voxels_of_their_grid() -> None:
    field = constant((1, 1, 1), Grid((4, 4, 4), np.diag([2.0, -3.0, 0.5, 1.0])))
    np.testing.assert_allclose(field(np.array([[2.0, -3.0, 0.5]])), [[4, -6, 1]])


def test_between_two_voxels_a_displacement_is_their_mean() -> None:
    vectors = np.zeros((2, 1, 1, 3))
    vectors[1, ..., 2] = 4
    field = DisplacementTransform(Grid((2, 1, 1), np.eye(4)), vectors)
    np.testing.assert_allclose(
        field(np.array([[0.5, 0, 0], [0.25, 0, 0]])), [[0.5, 0, 2], [0.25, 0, 1]]
    )


def test_beyond_the_grid_the_border_continues_for_the_inverse_alone() -> None:
    field = constant((1, 0, 0))
    outside = np.array([[-3.0], [2.0], [2.0]])
    np.testing.assert_array_equal(field.displacement(outside), [[1], [0], [0]])
    np.testing.assert_array_equal(field.move(Places(outside, np.eye(4))).coordinates, outside)
    np.testing.assert_allclose(field.inverse()(outside.T), [[-4, 2, 2]])


def test_displacements_are_those_of_scipy() -> None:
    field = bumps(FIXED)
    places = np.random.default_rng(0).uniform(-3, 30, (3, 200))
    expected = [
        map_coordinates(field.vectors[..., axis], places, order=1, mode="nearest")
        for axis in range(3)
    ]
    np.testing.assert_allclose(field.displacement(places), expected, atol=1e-5)  # float32


def test_planes_of_its_own_grid_are_moved_like_any_places() -> None:
    field, planes = bumps(FIXED), slab_of(FIXED, slice(5, 8))
    single = field.move(Places(planes.coordinates, FIXED.affine))
    np.testing.assert_allclose(field.move(planes).coordinates, single.coordinates, atol=1e-5)


def test_planes_of_another_grid_are_no_planes_of_this_one() -> None:
    same_shape = Grid(FIXED.shape, np.diag([1.0, 1.0, 1.0, 1.0]))
    planes = slab_of(same_shape, slice(5, 8))
    expected = bumps(FIXED)(planes.points_mm())
    np.testing.assert_allclose(bumps(FIXED).move(planes).points_mm(), expected, atol=1e-5)


def test_moving_leaves_the_places_that_are_given() -> None:
    points = inner_points(FIXED)
    before = points.copy()
    bumps(FIXED)(points)
    bumps(FIXED).inverse()(points)
    np.testing.assert_array_equal(points, before)


@settings(max_examples=20)
@given(SHIFTS)
def test_the_inverse_of_a_shift_is_the_opposite_shift(shift: tuple[float, ...]) -> None:
    points = np.array([[2.0, 2.0, 2.0], [3.0, 2.5, 1.5]])
    found = constant(shift).inverse()(points)
    np.testing.assert_allclose(found, points - shift, atol=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.floats(0.1, 2.5))
def test_inverting_is_as_good_as_its_tolerance(seed: int, most: float) -> None:
    field = bumps(FIXED, most, seed)
    start = np.random.default_rng(seed).uniform(6, 14, (3, 60))
    end = start + field.displacement(start)
    found = field.inverse().move(Places(end, FIXED.affine)).coordinates
    left = end - found - field.displacement(found)
    assert np.linalg.norm(left, axis=0).max() <= TOLERANCE_VOX


def test_the_inverse_of_the_inverse_is_the_field() -> None:
    field = bumps(FIXED)
    assert field.inverse().inverse() is field


@pytest.mark.parametrize("grid", [FIXED, MOVING])
def test_the_inverse_gives_places_in_the_shape_it_is_given(grid: Grid) -> None:
    planes = slab_of(grid, slice(3, 5))
    found = bumps(FIXED).inverse().move(planes)
    assert found.coordinates.shape == planes.coordinates.shape
    np.testing.assert_array_equal(found.affine, FIXED.affine)


def test_a_place_that_nothing_leads_to_gets_the_best_there_is() -> None:
    """Along x the field jumps by 3 voxels: between them no place has an inverse."""
    vectors = np.zeros((12, 3, 3, 3))
    vectors[6:, ..., 0] = 3
    field = DisplacementTransform(Grid((12, 3, 3), np.eye(4)), vectors)
    found = field.inverse()(np.array([[7.0, 1, 1], [3.0, 1, 1], [11.0, 1, 1]]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[1:], [[3, 1, 1], [8, 1, 1]], atol=TOLERANCE_VOX)
    assert 5 <= found[0, 0] <= 6  # within the jump, which is steep but continuous
