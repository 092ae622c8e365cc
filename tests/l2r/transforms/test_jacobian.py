"""The Jacobian determinant by closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2r.transforms.base import AffineTransform, TransformChain
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid
from l2r.transforms.jacobian import jacobian
from tests.l2r.transforms.making import FIXED, MOVING, bumps, oblique, turn

UNIT = Grid((7, 6, 5), np.eye(4))
SLOPES = st.floats(-2, 2)


def linear_field(slopes: np.ndarray, grid: Grid) -> DisplacementTransform:
    """`v(p) = slopes p`."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1).astype(float)
    return DisplacementTransform(grid, (index @ slopes.T).astype(np.float32))


@settings(max_examples=20)
@given(st.lists(SLOPES, min_size=9, max_size=9))
def test_a_linear_field_has_one_determinant_everywhere(numbers: list[float]) -> None:
    slopes = np.reshape(numbers, (3, 3))
    expected = np.linalg.det(np.eye(3) + slopes)
    found = jacobian(linear_field(slopes, UNIT), UNIT)
    np.testing.assert_allclose(found, expected, atol=2e-4)  # differences in single precision


def test_nothing_changes_no_volume() -> None:
    found = jacobian(TransformChain([]), FIXED)
    assert found.dtype == np.float32
    assert found.shape == FIXED.shape
    np.testing.assert_allclose(found, 1, atol=1e-6)


def test_a_mirror_counts_as_a_fold() -> None:
    np.testing.assert_allclose(jacobian(AffineTransform(np.diag([-1.0, 1, 1, 1])), UNIT), -1)


def test_a_projection_has_no_volume() -> None:
    flat = linear_field(np.diag([0.0, 0.0, -1.0]), UNIT)
    np.testing.assert_array_equal(jacobian(flat, UNIT), 0)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 2.0, -3.0)])
def test_it_does_not_depend_on_the_voxels_it_is_taken_on(
    spacing: tuple[float, float, float],
) -> None:
    grid = oblique((5, 6, 7), spacing, (10, 20, 30))
    np.testing.assert_allclose(jacobian(turn(), grid), 1.05 * 0.97 * 1.02, rtol=1e-4)  # float32


def test_a_chain_of_matrices_multiplies_volumes() -> None:
    double = AffineTransform(np.diag([2.0, 1, 1, 1]))
    found = jacobian(TransformChain([double, turn(), double]), MOVING)
    np.testing.assert_allclose(found, 4 * 1.05 * 0.97 * 1.02, rtol=1e-4)  # float32


@pytest.mark.parametrize("shape", [(1, 5, 5), (5, 1, 5), (5, 5, 1), (1, 1, 1), (2, 2, 2)])
def test_axes_of_one_voxel_keep_the_others_stretch(shape: tuple[int, int, int]) -> None:
    field = linear_field(np.diag([0.5, 0.5, 0.5]), Grid(shape, np.eye(4)))
    expected = 1.5 ** sum(size > 1 for size in shape)
    np.testing.assert_allclose(jacobian(field, field.grid), expected, rtol=1e-6)  # float32


def test_the_volume_of_a_brain_that_fades_to_nothing_is_kept() -> None:
    """The divergence theorem: a field of zero at the border neither makes nor loses volume."""
    small = bumps(FIXED, 0.5)
    assert jacobian(small, FIXED).mean() == pytest.approx(1, abs=1e-3)  # the grid is finite
