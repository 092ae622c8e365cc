"""The dialects of displacement fields."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import map_coordinates

from l2r.field import (
    from_channels_first,
    from_normalised,
    half_as_fine,
    to_channels_first,
    to_normalised,
    twice_as_fine,
    zero_field,
)
from tests.l2r.making import noise

SHAPE = (5, 8, 11)
numbers = st.floats(-100, 100, width=32)
fields = arrays(
    np.float32,
    array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=5).map(lambda s: (*s, 3)),
    elements=numbers,
)


def shift(*voxels: float) -> np.ndarray:
    return np.broadcast_to(np.float32(voxels), (*SHAPE, 3))


def warp(moving: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    places = np.indices(vectors.shape[:3]) + np.moveaxis(vectors, -1, 0)
    return map_coordinates(moving, places, order=1, mode="nearest")


def test_the_zero_field_moves_nothing() -> None:
    field = zero_field(SHAPE)
    assert field.shape == (*SHAPE, 3)
    assert field.dtype == np.float32
    moving = noise(*SHAPE)
    np.testing.assert_array_equal(warp(moving, field), moving)


def test_the_components_are_moved_not_the_voxels() -> None:
    field = noise(3, *SHAPE)
    for axis in range(3):
        np.testing.assert_array_equal(from_channels_first(field)[..., axis], field[axis])


@given(fields)
def test_channels_first_and_back_is_the_same_field(vectors: np.ndarray) -> None:
    assert to_channels_first(vectors).shape == (3, *vectors.shape[:3])
    np.testing.assert_array_equal(from_channels_first(to_channels_first(vectors)), vectors)


def test_a_normalised_offset_of_two_spans_the_grid_from_end_to_end() -> None:
    across_z = np.broadcast_to(np.float32([2, 0, 0]), (*SHAPE, 3))  # torch's x is the last axis
    np.testing.assert_allclose(from_normalised(across_z), shift(0, 0, SHAPE[2] - 1))
    across_x = np.broadcast_to(np.float32([0, 0, -1]), (*SHAPE, 3))
    np.testing.assert_allclose(from_normalised(across_x), shift(-(SHAPE[0] - 1) / 2, 0, 0))


@given(fields)
def test_normalised_and_back_is_the_same_field(vectors: np.ndarray) -> None:
    there = to_normalised(vectors)
    assert there.dtype == np.float32
    np.testing.assert_allclose(from_normalised(there), vectors, rtol=1e-5, atol=1e-6)


def test_a_normalised_field_warps_as_the_scorer_would_have_it() -> None:
    vectors, moving = 4 * noise(*SHAPE, 3) - 2, noise(*SHAPE)
    size = np.array(SHAPE) - 1
    grid = np.moveaxis(np.indices(SHAPE), 0, -1) / size * 2 - 1
    wanted = grid[..., ::-1] + to_normalised(vectors)  # where torch would look, in [-1, 1], zyx
    places = np.moveaxis((wanted[..., ::-1] + 1) / 2 * size, -1, 0)
    np.testing.assert_allclose(
        map_coordinates(moving, places, order=1, mode="nearest"), warp(moving, vectors), atol=1e-5
    )


def test_a_half_grid_field_is_sampled_where_its_voxels_lie_and_doubled() -> None:
    half = noise(3, 4, 5, 3)
    places = (np.indices((6, 8, 10)) - 0.5) / 2
    full = 2 * twice_as_fine(half)
    assert full.dtype == np.float32
    for axis in range(3):
        part = map_coordinates(half[..., axis], places, order=1, mode="nearest")
        np.testing.assert_allclose(full[..., axis], 2 * part, rtol=1e-6)


@given(arrays(np.float32, 3, elements=numbers))
def test_a_shift_on_the_half_grid_is_twice_as_many_voxels_on_the_full_one(
    voxels: np.ndarray,
) -> None:
    half = np.broadcast_to(voxels, (2, 1, 3, 3))
    full = 2 * twice_as_fine(half)
    assert full.shape == (4, 2, 6, 3)
    np.testing.assert_allclose(full, np.broadcast_to(2 * voxels, full.shape), rtol=1e-6)


def test_a_half_grid_field_does_on_both_grids_the_same() -> None:
    """Averaging 2 x 2 x 2 voxels and warping commute for a linear image and a linear field."""
    slope = np.float32([0.02, -0.03, 0.01])
    half_index = np.moveaxis(np.indices((6, 6, 6)), 0, -1).astype(np.float32)
    half = half_index * slope
    full = 2 * twice_as_fine(half)
    full_index = np.moveaxis(np.indices((12, 12, 12)), 0, -1)
    # Half voxel i is centred on full voxel 2 i + 0.5.
    target_half = 2 * (half_index + half) + 0.5
    target_full = full_index + full
    averaged = target_full.reshape(6, 2, 6, 2, 6, 2, 3).mean(axis=(1, 3, 5))
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(averaged[inner], target_half[inner], rtol=1e-5)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_precision_of_a_normalised_field_is_kept(kind: type) -> None:
    vectors = noise(*SHAPE, 3).astype(kind)
    assert from_normalised(vectors).dtype == kind
    assert to_normalised(vectors).dtype == kind


def test_a_finer_grid_is_torchs_trilinear_interpolation() -> None:
    torch = pytest.importorskip("torch")
    half = np.random.default_rng(3).normal(size=(3, 4, 5, 3)).astype(np.float32)
    fine = torch.nn.functional.interpolate(
        torch.from_numpy(half).movedim(-1, 0)[None],
        scale_factor=2,
        mode="trilinear",
        align_corners=False,
    )
    np.testing.assert_allclose(twice_as_fine(half), fine[0].movedim(0, -1), atol=1e-6)


def test_a_coarser_grid_has_the_means_and_the_finer_one_of_a_linear_field_has_it_back() -> None:
    field = np.stack(np.meshgrid(*map(np.arange, (8, 6, 4)), indexing="ij"), -1).astype(np.float32)
    half = half_as_fine(field)
    np.testing.assert_array_equal(half[1, 2, 0], [2.5, 4.5, 0.5])
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(twice_as_fine(half)[inner], field[inner], atol=1e-6)
