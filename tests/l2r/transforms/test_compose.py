"""Chains as one transform."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2r.transforms.base import AffineTransform, TransformChain
from l2r.transforms.compose import as_displacement, compose
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid, slab_of
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points, turn

DEGREES = st.tuples(*[st.floats(-90, 90)] * 3)


@settings(max_examples=20)
@given(st.lists(DEGREES, min_size=1, max_size=4))
def test_any_number_of_matrices_is_one(angles: list[tuple[float, ...]]) -> None:
    parts, points = [turn(degrees) for degrees in angles], inner_points(FIXED)
    one = compose(parts, FIXED)
    assert isinstance(one, AffineTransform)
    np.testing.assert_allclose(one(points), TransformChain(parts)(points), atol=1e-9)  # mm


def test_no_transform_is_the_identity() -> None:
    one = compose([], FIXED)
    assert isinstance(one, AffineTransform)
    np.testing.assert_array_equal(one.matrix, np.eye(4))


def test_a_chain_of_matrices_among_matrices_is_a_matrix() -> None:
    """ITK's text files of two matrices are read as a chain."""
    one = compose([TransformChain([turn(), TransformChain([turn((9, 0, 0))])]), turn()], FIXED)
    assert isinstance(one, AffineTransform)
    expected = turn().matrix @ turn((9, 0, 0)).matrix @ turn().matrix
    np.testing.assert_allclose(one.matrix, expected)


def test_a_field_anywhere_makes_a_field() -> None:
    one = compose([turn(), TransformChain([bumps(FIXED)])], MOVING)
    assert isinstance(one, DisplacementTransform)
    assert one.grid is MOVING


def test_a_field_on_its_own_grid_is_itself() -> None:
    field = bumps(FIXED)
    found = as_displacement(field, Grid(FIXED.shape, FIXED.affine.copy()))
    np.testing.assert_allclose(found.vectors, field.vectors, atol=4e-6)  # p + v - p in doubles


def test_vectors_are_in_single_precision_with_x_fastest() -> None:
    vectors = as_displacement(turn(), FIXED).vectors
    assert vectors.dtype == np.float32
    assert vectors.flags.f_contiguous


@pytest.mark.parametrize("grid", [FIXED, MOVING])
def test_at_the_voxels_of_its_grid_a_field_is_exact(grid: Grid) -> None:
    chain = TransformChain([turn(), bumps(FIXED), turn((3, 2, 1))])
    field = as_displacement(chain, grid)
    places = slab_of(grid, slice(8, 9))
    expected = chain(places.points_mm())
    np.testing.assert_allclose(field.move(places).points_mm(), expected, atol=1e-4)  # mm, float32


def test_a_shift_in_millimetres_is_one_in_voxels() -> None:
    matrix = np.eye(4)
    matrix[:3, 3] = (2, 3, 4)
    field = as_displacement(AffineTransform(matrix), Grid((2, 2, 2), np.diag([2.0, -1, 4, 1])))
    np.testing.assert_array_equal(field.vectors, np.broadcast_to((1, -3, 1), (2, 2, 2, 3)))


def test_an_inverse_and_its_field_cancel_out() -> None:
    field = bumps(FIXED)
    both = compose([field, field.inverse()], FIXED)
    inner = (slice(4, -4),) * 3
    np.testing.assert_allclose(both.vectors[inner], 0, atol=2e-3)  # the iteration's tolerance
