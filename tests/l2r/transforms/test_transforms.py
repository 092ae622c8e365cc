"""Transforms of points and grids: matrices, fields, chains and their inverses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from l2r.transforms.base import AffineTransform, TransformChain
from l2r.transforms.compose import as_displacement, compose
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid, slab_of
from l2r.transforms.jacobian import jacobian
from l2r.transforms.learn2reg import from_learn2reg, to_learn2reg
from l2r.transforms.residual import round_trip
from tests.l2r.transforms.making import FIXED, MOVING, bumps, inner_points, turn


def test_a_matrix_moves_points() -> None:
    shift = np.eye(4)
    shift[:3, 3] = (1, 2, 3)
    np.testing.assert_allclose(AffineTransform(shift)(np.zeros((1, 3))), [[1, 2, 3]])


def test_a_chain_begins_at_the_fixed_image() -> None:
    first, second, points = turn(), turn((30, 0, 0)), inner_points(FIXED)
    np.testing.assert_allclose(TransformChain([first, second])(points), second(first(points)))
    assert not np.allclose(TransformChain([second, first])(points), second(first(points)))


def test_a_field_moves_points_as_it_moves_voxels() -> None:
    field, points = bumps(FIXED), inner_points(FIXED)
    index = (np.linalg.inv(FIXED.affine) @ np.c_[points, np.ones(len(points))].T)[:3]
    step = [map_coordinates(field.vectors[..., axis], index, order=1) for axis in range(3)]
    expected = (index + step).T @ FIXED.affine[:3, :3].T + FIXED.affine[:3, 3]
    np.testing.assert_allclose(field(points), expected, atol=1e-5)


def test_beyond_its_grid_a_field_moves_nothing() -> None:
    vectors = np.ones((4, 4, 4, 3), np.float32)
    field = DisplacementTransform(Grid((4, 4, 4), np.eye(4)), vectors)
    points = np.array([[3.49, 0, 0], [3.51, 0, 0], [-0.6, 1, 1]])
    np.testing.assert_allclose(field(points), [[4.49, 1, 1], [3.51, 0, 0], [-0.6, 1, 1]])


@pytest.mark.parametrize("seed", range(3))
def test_the_inverse_returns_to_the_start(seed: int) -> None:
    chain = TransformChain([turn(), bumps(FIXED, 2.0, seed)])
    points = inner_points(FIXED)
    np.testing.assert_allclose(chain.inverse()(chain(points)), points, atol=2e-3)  # 1e-3 voxels
    np.testing.assert_allclose(chain.inverse().inverse()(points), chain(points))


@pytest.mark.slow
@given(st.floats(-0.8, 4.0))
def test_a_stretch_is_inverted_however_strong_it_is(slope: float) -> None:
    """The plain iteration diverges from a slope of one on; halved steps do not."""
    grid = Grid((12, 3, 3), np.eye(4))
    vectors = np.zeros((12, 3, 3, 3))
    vectors[..., 0] = slope * (np.arange(12) - 6)[:, None, None]
    field = DisplacementTransform(grid, vectors)
    found = field.inverse()(np.array([[6 + 2 * (1 + slope), 1, 1]]))
    np.testing.assert_allclose(found, [[8, 1, 1]], atol=1e-3 * max(1, 1 / (1 + slope)))


def test_where_a_field_folds_its_inverse_says_so() -> None:
    grid = Grid((12, 12, 12), np.eye(4))
    vectors = np.zeros((*grid.shape, 3), np.float32)
    vectors[:6, ..., 0] = 3  # all that lies between index 6 and 8 is met twice, or never
    field = DisplacementTransform(grid, vectors)
    residual, distances = round_trip(field, as_displacement(field.inverse(), grid), grid, grid)
    assert residual.failed > 5
    assert residual.most == np.nanmax(distances) == distances[residual.worst]


def test_the_residual_of_a_shift_is_what_is_known() -> None:
    grid = Grid((10, 4, 4), np.diag([2.0, 1, 1, 1]))
    shift = np.eye(4)
    shift[0, 3] = 4.0  # two voxels
    forward, nothing = AffineTransform(shift), TransformChain([])
    residual, _ = round_trip(forward, nothing, grid, grid)
    assert (residual.mean, residual.most, residual.failed) == (2, 2, 100)
    assert residual.gone == pytest.approx(20)  # two of ten planes lead out of the grid


def test_composing_is_going_one_after_the_other() -> None:
    parts = [turn(), bumps(FIXED), turn((2, 2, 2))]
    one = compose(parts, FIXED)
    index = slab_of(FIXED, slice(10, 11)).points_mm()
    np.testing.assert_allclose(one(index), TransformChain(parts)(index), atol=1e-4)


def test_matrices_are_multiplied() -> None:
    one = compose([turn(), turn((1, 2, 3))], FIXED)
    assert isinstance(one, AffineTransform)
    np.testing.assert_allclose(one.matrix, turn((1, 2, 3)).matrix @ turn().matrix)


def test_the_jacobian_of_a_matrix_is_its_determinant() -> None:
    expected = np.linalg.det(turn().matrix[:3, :3])
    np.testing.assert_allclose(jacobian(turn(), FIXED), expected, rtol=1e-4)


def test_the_jacobian_is_negative_where_a_field_folds() -> None:
    vectors = np.zeros((9, 5, 5, 3), np.float32)
    vectors[..., 0] = -2 * np.arange(9)[:, None, None]  # x -> -x
    found = jacobian(
        DisplacementTransform(Grid((9, 5, 5), np.eye(4)), vectors), Grid((9, 5, 5), np.eye(4))
    )
    np.testing.assert_allclose(found, -1)


def test_an_axis_of_one_voxel_counts_as_kept() -> None:
    grid = Grid((5, 5, 1), np.eye(4))
    field = DisplacementTransform(grid, np.zeros((5, 5, 1, 3), np.float32))
    np.testing.assert_allclose(jacobian(field, grid), 1)


def test_a_field_of_learn2reg_leads_from_voxel_to_voxel() -> None:
    """`A_f p` goes to `A_m (p + u(p))`, by the headers of both images."""
    vectors = bumps(FIXED).vectors
    field = from_learn2reg(vectors, FIXED.affine, MOVING.affine)
    p = (11, 13, 9)
    start = FIXED.affine @ (*p, 1.0)
    end = MOVING.affine @ (*(p + vectors[p]), 1.0)
    np.testing.assert_allclose(field(start[None, :3]), end[None, :3], atol=1e-4)
    np.testing.assert_allclose(to_learn2reg(field, MOVING.affine), vectors, atol=1e-4)


def test_on_one_grid_not_a_bit_of_a_field_changes() -> None:
    vectors = bumps(FIXED).vectors
    field = from_learn2reg(vectors, FIXED.affine, FIXED.affine)
    assert field.vectors is vectors
    assert to_learn2reg(field, FIXED.affine) is vectors


def test_the_jacobian_is_that_of_numpy_across_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    field = bumps(FIXED)
    monkeypatch.setattr("l2r.transforms.slabs._POINTS", 1)
    parts = [np.gradient(field.vectors[..., axis].astype(float)) for axis in range(3)]
    matrices = np.moveaxis(np.array(parts), (0, 1), (-2, -1)) + np.eye(3)
    np.testing.assert_allclose(jacobian(field, FIXED), np.linalg.det(matrices), atol=1e-4)


def test_slabs_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = as_displacement(bumps(FIXED).inverse(), MOVING).vectors
    other = to_learn2reg(bumps(FIXED), MOVING.affine)
    monkeypatch.setattr("l2r.transforms.slabs._POINTS", 1)
    assert np.array_equal(as_displacement(bumps(FIXED).inverse(), MOVING).vectors, whole)
    assert np.array_equal(to_learn2reg(bumps(FIXED), MOVING.affine), other)
