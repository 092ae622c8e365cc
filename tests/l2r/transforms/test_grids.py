"""Grids in physical space."""

import numpy as np

from l2r.transforms.grids import Grid, places_of, slab_of
from tests.l2r.transforms.making import FIXED, MOVING


def test_voxels_are_found_at_their_millimetres() -> None:
    here = slab_of(FIXED, slice(3, 5))
    index = here.coordinates.reshape(3, -1).T
    expected = index @ FIXED.affine[:3, :3].T + FIXED.affine[:3, 3]
    np.testing.assert_allclose(here.points_mm(), expected)


def test_places_go_to_the_voxels_of_another_grid() -> None:
    index = np.array([[0.0, 1.5, 2.0], [20.0, 3.0, 19.0]])
    points = index @ MOVING.affine[:3, :3].T + MOVING.affine[:3, 3]
    np.testing.assert_allclose(places_of(points).on(MOVING).coordinates.T, index, atol=1e-12)


def test_a_grid_reaches_to_the_far_side_of_its_outermost_voxels() -> None:
    grid = Grid((4, 1, 1), np.eye(4))
    along = np.array([-0.51, -0.5, 3.49, 3.5])
    places = np.stack([along, np.zeros(4), np.zeros(4)])
    assert grid.holds(places).tolist() == [False, True, True, False]


def test_headers_in_single_precision_are_one_grid() -> None:
    rounded = Grid(FIXED.shape, FIXED.affine.astype(np.float32).astype(np.float64))
    assert FIXED.is_like(rounded)
    shifted = FIXED.affine.copy()
    shifted[0, 3] += 0.01
    assert not FIXED.is_like(Grid(FIXED.shape, shifted))
    assert not FIXED.is_like(Grid((24, 28, 21), FIXED.affine))
