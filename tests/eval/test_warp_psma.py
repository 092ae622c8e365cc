"""PSMAReg's warp."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eval.warp_psma import warp_like_grid_sample


def by_torch(moving: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Places normalised by the last index, read as if they were by the number of voxels."""
    steps = torch.from_numpy(vectors.astype(np.float32)).movedim(-1, 0)
    shape = steps.shape[1:]
    places = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij")).float() + steps
    for axis, size in enumerate(shape):
        places[axis] = 2 * (places[axis] / (size - 1) - 0.5)
    grid = places.flip(0).movedim(0, -1)[None]
    source = torch.from_numpy(moving.astype(np.float32))[None, None]
    sample = torch.nn.functional.grid_sample(source, grid, mode="nearest", align_corners=False)
    return sample[0, 0].numpy()


@given(
    st.tuples(*3 * [st.integers(2, 9)]),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 0.4, 3.0, 50.0]),
    st.booleans(),
)
def test_it_is_torchs_grid_sample_to_the_voxel(
    shape: tuple[int, int, int], seed: int, size: float, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    moving = rng.integers(0, 118, shape).astype(np.uint8)
    vectors = rng.normal(0, size, (*shape, 3)).astype(np.float32)
    vectors = np.rint(vectors) if whole else vectors  # places on the edge between two voxels
    warped = warp_like_grid_sample(moving, vectors)
    assert warped.dtype == moving.dtype
    np.testing.assert_array_equal(warped, by_torch(moving, vectors))


@pytest.mark.slow
def test_it_is_torchs_grid_sample_on_the_challenges_grid() -> None:
    rng = np.random.default_rng(0)
    moving = rng.integers(0, 118, (192, 192, 288)).astype(np.uint8)
    vectors = rng.normal(0, 2, (*moving.shape, 3)).astype(np.float32)
    np.testing.assert_array_equal(warp_like_grid_sample(moving, vectors), by_torch(moving, vectors))


def test_a_field_of_zeros_loses_the_last_plane() -> None:
    moving = np.ones((192, 8, 8), np.int32)
    warped = warp_like_grid_sample(moving, np.zeros((*moving.shape, 3)))
    assert warped[:191, :7, :7].all()
    assert not warped[191].any()


def test_what_is_very_far_away_is_background() -> None:
    moving = np.ones((4, 4, 4), np.int16)
    for far in (1e30, -1e30):
        assert not warp_like_grid_sample(moving, np.full((4, 4, 4, 3), far)).any()
