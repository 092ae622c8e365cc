"""Images on other grids: scipy by hand, SimpleITK as the oracle, types, series, the outside."""

import numpy as np
import pytest

from eval.warp import warp_linear, warp_nearest
from l2r.errors import ImageError
from l2r.transforms.base import AffineTransform, TransformChain
from l2r.transforms.grids import Grid
from l2r.transforms.learn2reg import from_learn2reg
from l2r.transforms.resample import INTERPOLATIONS, Resampling
from tests.l2r.transforms.making import FIXED, MOVING, blobs, bumps, smooth_volume, turn

CHAIN = TransformChain([bumps(FIXED), turn()])
IDENTITY = TransformChain([])


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "nearest"])
def test_nothing_changes_on_an_images_own_grid(interpolation: str) -> None:
    image = smooth_volume(MOVING.shape)
    found = Resampling(MOVING, IDENTITY, interpolation)(image, MOVING.affine)
    np.testing.assert_allclose(found, image, atol=1e-3)


def test_a_field_of_learn2reg_warps_as_its_scorer_does() -> None:
    """Apart from the outermost half voxel, which is 0 for the scorer and the border's for ITK."""
    vectors, image, labels = bumps(FIXED).vectors, smooth_volume(FIXED.shape), blobs(FIXED.shape)
    transform = from_learn2reg(vectors, FIXED.affine, FIXED.affine)
    inner = (slice(2, -2),) * 3
    linear = Resampling(FIXED, transform)(image, FIXED.affine)
    np.testing.assert_allclose(linear[inner], warp_linear(image, vectors)[inner], atol=1e-3)
    nearest = Resampling(FIXED, transform, "nearest")(labels, FIXED.affine)
    assert np.array_equal(nearest[inner], warp_nearest(labels, vectors)[inner])


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("interpolation", sorted(INTERPOLATIONS))
def test_the_type_is_kept(kind: type, interpolation: str) -> None:
    image = smooth_volume(MOVING.shape).astype(kind)
    assert Resampling(FIXED, CHAIN, interpolation)(image, MOVING.affine).dtype == kind


def test_whole_numbers_are_rounded_and_splines_do_not_wrap_around() -> None:
    edge = np.zeros((8, 1, 1), np.uint8)
    edge[4:] = 255
    quarter = np.eye(4)
    quarter[0, 3] = 0.304
    grid = Grid(edge.shape, np.eye(4))
    linear = Resampling(grid, AffineTransform(quarter))(edge, np.eye(4))
    assert linear.ravel().tolist() == [0, 0, 0, 78, 255, 255, 255, 255]  # 77.52
    cubic = Resampling(grid, AffineTransform(quarter), "cubic")(edge, np.eye(4)).ravel().astype(int)
    assert cubic[2] == 0  # undershoot
    assert cubic[4] == 255  # overshoot


def test_every_volume_of_a_series_is_resampled_alike() -> None:
    series = np.stack([smooth_volume(MOVING.shape, seed) for seed in range(10)], axis=-1)
    found = Resampling(FIXED, CHAIN)(series, MOVING.affine)
    assert found.shape == (*FIXED.shape, 10)
    alone = Resampling(FIXED, CHAIN)(series[..., 9], MOVING.affine)
    assert np.array_equal(found[..., 9], alone)


def test_the_outside_has_the_value_that_is_given() -> None:
    shift = np.eye(4)
    shift[0, 3] = 2.25
    row = np.arange(1, 5, dtype=np.int16).reshape(4, 1, 1)
    moved = Resampling(Grid((4, 1, 1), np.eye(4)), AffineTransform(shift), outside=-7.0)
    assert moved(row, np.eye(4)).ravel().tolist() == [3, 4, -7, -7]


def test_an_image_elsewhere_is_refused() -> None:
    far = MOVING.affine.copy()
    far[0, 3] += 1000
    with pytest.raises(ImageError, match="do not overlap after the transforms"):
        Resampling(FIXED, CHAIN)(smooth_volume(MOVING.shape), far)


@pytest.mark.parametrize("interpolation", sorted(INTERPOLATIONS))
def test_slabs_do_not_show(interpolation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = blobs(MOVING.shape)
    whole = Resampling(FIXED, CHAIN, interpolation)(labels, MOVING.affine)
    monkeypatch.setattr("l2r.transforms.slabs._POINTS", 1)
    thin = Resampling(FIXED, CHAIN, interpolation)(labels, MOVING.affine)
    assert np.array_equal(thin, whole)
