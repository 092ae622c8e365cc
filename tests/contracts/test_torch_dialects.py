"""Torch's conventions for fields, held against those of the contract and of scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch.nn import functional

from l2r.field import from_channels_first, from_normalised, to_normalised, twice_as_fine

shapes = st.tuples(*[st.integers(2, 6)] * 3)


def inner_field(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Random displacements in voxels that end inside the grid."""
    rng = np.random.default_rng(seed)
    targets = rng.uniform(0, np.array(shape) - 1, (*shape, 3))
    return (targets - np.moveaxis(np.indices(shape), 0, -1)).astype(np.float32)


def image(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 1).random(shape, dtype=np.float32)


def warp(moving: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    places = np.indices(vectors.shape[:3]) + np.moveaxis(vectors, -1, 0)
    return map_coordinates(moving, places, order=1, mode="nearest")


def grid_sample(moving: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Torch's warp by offsets from its own identity grid."""
    identity = functional.affine_grid(
        torch.eye(3, 4)[None], [1, 1, *moving.shape], align_corners=True
    )
    grid = identity + torch.from_numpy(offsets.copy())[None]
    sampled = functional.grid_sample(
        torch.from_numpy(moving)[None, None], grid, padding_mode="border", align_corners=True
    )
    return sampled[0, 0].numpy()


@settings(max_examples=30)
@given(shapes, st.integers(0, 99))
def test_a_normalised_field_is_one_for_grid_sample_with_aligned_corners(
    shape: tuple[int, int, int], seed: int
) -> None:
    vectors, moving = inner_field(shape, seed), image(shape, seed)
    np.testing.assert_allclose(
        grid_sample(moving, to_normalised(vectors)), warp(moving, vectors), atol=1e-4
    )


@settings(max_examples=30)
@given(shapes, st.integers(0, 99))
def test_offsets_for_grid_sample_are_read_as_voxels(shape: tuple[int, int, int], seed: int) -> None:
    offsets = np.random.default_rng(seed).uniform(-0.5, 0.5, (*shape, 3)).astype(np.float32)
    moving = image(shape, seed)
    np.testing.assert_allclose(
        grid_sample(moving, offsets), warp(moving, from_normalised(offsets)), atol=1e-4
    )


def test_without_aligned_corners_the_zero_field_would_shift_by_half_a_voxel() -> None:
    """The mistake of several published codes, and the reason for saying which grid is meant."""
    ramp = np.broadcast_to(np.arange(160, dtype=np.float32).reshape(160, 1, 1), (160, 2, 2)).copy()
    identity = functional.affine_grid(torch.eye(3, 4)[None], [1, 1, 160, 2, 2], align_corners=True)
    sampled = functional.grid_sample(
        torch.from_numpy(ramp)[None, None], identity, padding_mode="border", align_corners=False
    )[0, 0, :, 0, 0].numpy()
    shift = sampled - np.arange(160)
    assert shift[40] == pytest.approx(-0.248, abs=1e-3)
    assert shift[120] == pytest.approx(0.255, abs=1e-3)
    zeros = np.zeros((160, 2, 2, 3), np.float32)
    np.testing.assert_allclose(grid_sample(ramp, zeros), ramp, atol=1e-4)


@settings(max_examples=30)
@given(shapes, st.integers(0, 99))
def test_a_half_grid_field_is_upsampled_as_torch_does_and_doubled(
    shape: tuple[int, int, int], seed: int
) -> None:
    half = inner_field(shape, seed)
    upsampled = functional.interpolate(
        torch.from_numpy(half).movedim(-1, 0)[None],
        scale_factor=2,
        mode="trilinear",
        align_corners=False,
    )[0].numpy()
    np.testing.assert_allclose(
        2 * twice_as_fine(half), from_channels_first(2 * upsampled), atol=1e-5
    )


def test_halving_an_image_by_averages_puts_half_voxels_where_a_half_grid_field_expects() -> None:
    index = torch.arange(8.0).reshape(1, 1, 8, 1, 1).expand(1, 1, 8, 8, 8)
    centres = functional.avg_pool3d(index, 2)[0, 0, :, 0, 0]
    assert centres.tolist() == [2 * number + 0.5 for number in range(4)]
