"""Displacement fields in millimetres: axes by hand, matrices as the oracle, wrong units."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2r.errors import TransformError
from l2r.transforms.grids import LPS, Grid
from l2r.transforms.millimetres import RAS, from_mm, to_mm
from tests.l2r.transforms.making import FIXED, bumps, inner_points, oblique

PATH = Path("warp.nii.gz")
SHAPE = (4, 3, 5)


def constant(vector: tuple[float, float, float]) -> np.ndarray:
    return np.broadcast_to(np.array(vector, np.float32), (*SHAPE, 3)).copy()


def test_lps_millimetres_change_sign_along_x_and_y() -> None:
    found = from_mm(constant((2, 3, 4)), np.diag([2.0, 1, 4, 1]), PATH)
    np.testing.assert_array_equal(found.vectors, constant((-1, -3, 1)))


def test_ras_millimetres_keep_their_sign() -> None:
    found = from_mm(constant((2, 3, 4)), np.diag([2.0, 1, 4, 1]), PATH, RAS)
    np.testing.assert_array_equal(found.vectors, constant((1, 3, 1)))


def test_the_components_follow_axes_that_are_swapped() -> None:
    swapped = np.eye(4)[[1, 2, 0, 3]]  # voxel axes 0, 1, 2 lead along z, x, y
    found = from_mm(constant((1, 2, 3)), swapped, PATH, RAS)
    np.testing.assert_array_equal(found.vectors, constant((3, 1, 2)))


def test_every_place_is_moved_by_its_millimetres() -> None:
    vector = np.array([1.5, -0.75, 2.25])
    grid = oblique((12, 12, 12), (1.5, -1.2, 2.0), (20, -30, 40))
    field = from_mm(np.broadcast_to(vector, (12, 12, 12, 3)), grid.affine, PATH, RAS)
    points = inner_points(grid)
    np.testing.assert_allclose(field(points), points + vector, atol=1e-5)  # single precision


@settings(max_examples=20)
@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.3, 4)] * 3),
    st.sampled_from(["RAS", "LPS"]),
)
def test_millimetres_return_on_any_grid(
    degrees: tuple[float, ...], spacing: tuple[float, float, float], axes: str
) -> None:
    grid = oblique(SHAPE, spacing, degrees)
    vectors_mm = np.random.default_rng(0).uniform(-0.7, 0.7, (*SHAPE, 3)).astype(np.float32)
    system = {"RAS": RAS, "LPS": LPS}[axes]
    found = to_mm(from_mm(vectors_mm, grid.affine, PATH, system), system)
    np.testing.assert_allclose(found, vectors_mm, atol=1e-5)  # single precision


def test_millimetres_are_those_of_a_product_of_matrices() -> None:
    field = bumps(FIXED)
    expected = field.vectors.astype(np.float64) @ FIXED.affine[:3, :3].T * (-1, -1, 1)
    found = to_mm(field)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)  # single precision


def test_the_position_of_the_grid_does_not_matter() -> None:
    moved = FIXED.affine.copy()
    moved[:3, 3] += (100, -50, 25)
    other = from_mm(to_mm(bumps(FIXED)), moved, PATH)
    np.testing.assert_allclose(other.vectors, bumps(FIXED).vectors, atol=1e-6)  # single precision
    assert other.grid.is_like(Grid(FIXED.shape, moved))


def test_whole_numbers_are_taken_as_they_are() -> None:
    found = from_mm(np.full((*SHAPE, 3), 2, np.int16), np.eye(4), PATH, RAS)
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, constant((2, 2, 2)))


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "180 of 180 values are NaN"), (50.0, "read as millimetres")]
)
def test_a_field_that_cannot_be_meant_is_refused(value: float, message: str) -> None:
    with pytest.raises(TransformError, match=f"^warp.nii.gz: .*{message}"):
        from_mm(constant((value, value, value)), np.eye(4), PATH)
