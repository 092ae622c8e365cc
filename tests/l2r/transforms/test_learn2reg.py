"""Fields that count voxels, on grids of any two images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2r.transforms.grids import Grid
from l2r.transforms.learn2reg import from_learn2reg, to_learn2reg
from tests.l2r.transforms.making import FIXED, bumps, oblique

SHAPE = (4, 5, 3)
ANGLES = st.tuples(*[st.floats(-60, 60)] * 3)
SIDES = st.tuples(*[st.floats(0.5, 3)] * 3)


def some(kind: type = np.float64) -> np.ndarray:
    return np.random.default_rng(0).uniform(-2, 2, (*SHAPE, 3)).astype(kind)


@settings(max_examples=20)
@given(ANGLES, SIDES, ANGLES, SIDES)
def test_a_field_returns_from_any_pair_of_grids(
    turned: tuple[float, ...],
    sides: tuple[float, float, float],
    other: tuple[float, ...],
    lengths: tuple[float, float, float],
) -> None:
    fixed, moving = oblique(SHAPE, sides, turned), oblique(SHAPE, lengths, other)
    transform = from_learn2reg(some(), fixed.affine, moving.affine)
    np.testing.assert_allclose(to_learn2reg(transform, moving.affine), some(), atol=1e-9)


def test_no_displacement_leads_from_index_to_index() -> None:
    moving = np.diag([2.0, 3.0, -1.0, 1.0])
    moving[:3, 3] = (10, 20, 30)
    transform = from_learn2reg(np.zeros((*SHAPE, 3)), np.eye(4), moving)
    found = transform(np.array([[0.0, 0, 0], [3, 4, 2], [1, 2, 1]]))
    np.testing.assert_allclose(found, [[10, 20, 30], [16, 32, 28], [12, 26, 29]])


def test_a_field_counts_voxels_of_the_moving_image() -> None:
    vectors = np.zeros((*SHAPE, 3))
    vectors[..., 1] = 1
    transform = from_learn2reg(vectors, np.eye(4), np.diag([1.0, 2.0, 1.0, 1.0]))
    np.testing.assert_allclose(transform(np.array([[1.0, 1, 1]])), [[1, 4, 1]])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_precision_of_a_field_is_kept(kind: type) -> None:
    transform = from_learn2reg(some(kind), np.eye(4), np.diag([2.0, 1, 1, 1]))
    assert transform.vectors.dtype == kind
    assert to_learn2reg(transform, np.diag([2.0, 1, 1, 1])).dtype == kind


def test_the_grid_is_that_of_the_fixed_image() -> None:
    transform = from_learn2reg(bumps(FIXED).vectors, FIXED.affine, np.eye(4))
    assert transform.grid.is_like(FIXED)


def test_headers_that_differ_by_rounding_are_one_grid() -> None:
    vectors = bumps(FIXED).vectors
    rounded = FIXED.affine.astype(np.float32).astype(np.float64)
    assert from_learn2reg(vectors, FIXED.affine, rounded).vectors is vectors


def test_a_moving_image_elsewhere_shifts_every_voxel() -> None:
    moved = np.eye(4)
    moved[0, 3] = 1.5
    transform = from_learn2reg(some(), np.eye(4), moved)
    np.testing.assert_allclose(transform.vectors, some() + np.array([1.5, 0, 0]), atol=1e-12)
    assert transform.grid.is_like(Grid(SHAPE, np.eye(4)))
