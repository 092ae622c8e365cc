"""The warp of the networks and the warp of the judge are written twice, and must agree."""

import numpy as np
import pytest
import torch

from eval.warp import warp_linear, warp_nearest
from models.spatial.warp import warp

SHAPE = (13, 11, 12)


def pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A volume, and a field that stays inside the grid."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, np.array(SHAPE) - 1, (*SHAPE, 3))
    vectors = places - np.moveaxis(np.indices(SHAPE), 0, -1)
    return rng.uniform(0, 1, SHAPE), vectors


def in_torch(volume: np.ndarray, vectors: np.ndarray, mode: str) -> np.ndarray:
    image = torch.from_numpy(volume)[None, None]
    field = torch.from_numpy(np.moveaxis(vectors, -1, 0).copy())[None]
    return warp(image, field, mode=mode)[0, 0].numpy()


@pytest.mark.parametrize("seed", range(3))
def test_they_interpolate_alike(seed: int) -> None:
    volume, vectors = pair(seed)
    found = in_torch(volume, vectors, "bilinear")
    np.testing.assert_allclose(found, warp_linear(volume, vectors), atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_they_choose_the_same_labels(seed: int) -> None:
    volume, vectors = pair(seed)
    labels = np.rint(9 * volume).astype(np.int16)
    found = in_torch(labels.astype(np.float64), vectors, "nearest")
    assert np.array_equal(found, warp_nearest(labels, vectors))
