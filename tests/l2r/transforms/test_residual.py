"""The residual of a transform and its inverse, by shifts that are known."""

import numpy as np
import pytest

from l2r.transforms.base import AffineTransform, TransformChain
from l2r.transforms.compose import as_displacement
from l2r.transforms.grids import Grid
from l2r.transforms.residual import Residual, round_trip
from tests.l2r.transforms.making import FIXED, MOVING, bumps, turn

NOTHING = TransformChain([])
GRID = Grid((10, 4, 4), np.diag([2.0, 1, 1, 1]))


def shift(x_mm: float) -> AffineTransform:
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return AffineTransform(matrix)


def test_a_matrix_and_its_inverse_miss_by_nothing() -> None:
    residual, distances = round_trip(turn(), turn().inverse(), FIXED, FIXED)
    assert residual.most < 1e-5  # single precision of the distances
    assert residual.failed == 0
    assert residual.gone == pytest.approx(100 * np.isnan(distances).mean())


def test_distances_are_in_voxels_of_the_grid_that_starts() -> None:
    residual, distances = round_trip(shift(-3), NOTHING, GRID, Grid((99, 99, 99), shift(-9).matrix))
    assert (residual.mean, residual.p99, residual.most) == (1.5, 1.5, 1.5)
    assert (residual.failed, residual.gone) == (100, 0)
    np.testing.assert_array_equal(distances, 1.5)


@pytest.mark.parametrize(("off_vox", "failed"), [(0.49, 0), (0.5, 100)])
def test_half_a_voxel_counts_as_failed(off_vox: float, failed: float) -> None:
    there = Grid((99, 99, 99), shift(-9).matrix)
    assert round_trip(NOTHING, shift(2 * off_vox), GRID, there)[0].failed == failed


def test_voxels_that_leave_the_other_grid_are_not_counted() -> None:
    residual, distances = round_trip(shift(4), NOTHING, GRID, GRID)
    assert np.isnan(distances[8:]).all()
    np.testing.assert_array_equal(distances[:8], 2)
    assert residual.gone == pytest.approx(20)


def test_if_all_leave_the_other_grid_there_is_no_number() -> None:
    residual, distances = round_trip(shift(1000), shift(-1000), GRID, GRID)
    assert np.isnan([residual.mean, residual.p99, residual.most]).all()
    assert (residual.worst, residual.failed, residual.gone) == ((0, 0, 0), 0, 100)
    assert np.isnan(distances).all()


def test_the_worst_voxel_and_the_share_are_those_of_numpy() -> None:
    forward = bumps(FIXED, 3)
    residual, distances = round_trip(forward, NOTHING, FIXED, FIXED)
    lengths = np.linalg.norm(forward.vectors, axis=-1)
    known = ~np.isnan(distances)
    np.testing.assert_allclose(distances[known], lengths[known], atol=1e-5)  # single precision
    assert residual.mean == pytest.approx(lengths[known].mean(), rel=1e-5)
    assert residual.p99 == pytest.approx(np.quantile(lengths[known], 0.99), rel=1e-5)
    assert distances[residual.worst] == np.nanmax(distances)
    assert residual.failed == pytest.approx(100 * (lengths[known] >= 0.5).mean(), abs=0.1)


def test_a_stored_inverse_misses_by_a_part_of_a_voxel() -> None:
    forward = bumps(FIXED)
    inverse = as_displacement(forward.inverse(), MOVING)
    residual, _ = round_trip(forward, inverse, FIXED, MOVING)
    exact, _ = round_trip(forward, forward.inverse(), FIXED, FIXED)
    assert exact.most < 2e-3  # the tolerance of the iteration, in voxels
    assert exact.most < residual.most < 0.5  # linear between voxels


def test_one_line_sums_it_up() -> None:
    residual, _ = round_trip(shift(4), NOTHING, GRID, GRID)
    assert str(residual) == (
        "residual mean 2, p99 2, max 2 voxels at (0, 0, 0); 100 % of the voxels are off by 0.5 or "
        "more, 20 % lead out of the grid"
    )


def test_only_the_voxels_that_are_asked_for_count() -> None:
    distances = np.zeros((4, 4, 4), np.float32)
    distances[0], distances[1, 0, 0], distances[3] = 9, 2, np.nan
    within = np.ones(distances.shape, bool)
    within[0] = False
    residual = Residual.of(distances, within)
    assert (residual.most, residual.worst) == (2, (1, 0, 0))
    assert residual.mean == pytest.approx(2 / 32)
    assert residual.gone == pytest.approx(100 * 16 / 48)
