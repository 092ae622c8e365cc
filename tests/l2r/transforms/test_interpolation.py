"""Interpolation against scipy, and label maps by hand."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from l2r.transforms.generic_label import generic_label
from l2r.transforms.interpolation import cubic, linear, linear_components, nearest
from tests.l2r.transforms.making import blobs, smooth_volume

SHAPE = (9, 7, 8)


def anywhere(shape: tuple[int, int, int], count: int = 500) -> np.ndarray:
    """Places between the first and the last voxel's centres, both of these among them."""
    places = np.random.default_rng(1).uniform(0, np.array(shape)[:, None] - 1, (3, count))
    places[:, 0], places[:, 1] = 0, np.array(shape) - 1
    return places


@pytest.mark.parametrize("shape", [SHAPE, (9, 1, 8), (1, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_linear_interpolation_is_that_of_scipy(
    shape: tuple[int, int, int], kind: type, order: str
) -> None:
    volume = np.random.default_rng(0).uniform(0, 200, shape).astype(kind, order=order)
    places = anywhere(shape)
    expected = map_coordinates(volume, places, output=np.float64, order=1, mode="nearest")
    np.testing.assert_allclose(linear(volume)(places), expected, atol=2e-4)  # single precision


def test_several_volumes_are_interpolated_at_once() -> None:
    volumes = [smooth_volume(SHAPE, seed) for seed in range(3)]
    places = anywhere(SHAPE).reshape(3, 20, 25)
    found = linear_components(volumes)(places, np.empty((3, 20, 25)))
    for volume, values in zip(volumes, found, strict=True):
        np.testing.assert_allclose(values, linear(volume)(places), atol=1e-4)


def test_cubic_splines_are_those_of_scipy() -> None:
    volume, places = smooth_volume(SHAPE), anywhere(SHAPE)
    expected = map_coordinates(volume, places, output=np.float64, order=3, mode="mirror")
    np.testing.assert_allclose(cubic(volume)(places), expected, atol=1e-3)  # coefficients in single


def test_splines_go_through_the_voxels() -> None:
    volume = smooth_volume(SHAPE)
    places = np.stack([axis.ravel() for axis in np.indices(SHAPE)]).astype(float)
    np.testing.assert_allclose(cubic(volume)(places), volume.ravel(), atol=1e-3)


def test_the_nearest_voxel_keeps_every_bit_of_a_label() -> None:
    labels = np.array([2**53 + 1, 2**62 + 3, 7], np.int64).reshape(3, 1, 1)
    places = np.array([[0.0, 0.49, 0.5, 1.0, 1.51], [0] * 5, [0] * 5])
    assert nearest(labels)(places).tolist() == [2**53 + 1] * 2 + [2**62 + 3] * 2 + [7]


def test_a_generic_label_is_the_one_with_most_weight_around() -> None:
    labels = np.ones((5, 5, 5), np.int32)
    labels[2, 2, 2] = 9  # alone against 26 others: a single voxel is noise
    assert generic_label(labels)(np.full((3, 1), 2.0)) == [1]
    labels[1:4, 1:4, 2:4] = 9  # 72 % of the weight
    assert generic_label(labels)(np.full((3, 1), 2.0)) == [9]


def test_a_plane_between_two_labels_stays_where_it_is() -> None:
    labels = np.where(np.arange(6) < 3, 4, 8)[:, None, None] * np.ones((6, 5, 5), np.int16)
    along = np.array([2.4, 2.6])
    places = np.stack([along, np.full(2, 2.2), np.full(2, 1.9)])
    assert generic_label(labels.astype(np.int16))(places).tolist() == [4, 8]


def test_generic_labels_invent_none() -> None:
    labels, places = blobs(SHAPE), anywhere(SHAPE)
    assert set(generic_label(labels)(places)) <= set(labels.ravel())
