"""The box of a pair, and what is shown in it."""

import numpy as np
import pytest

from eval.jacobian import at_all_voxels, central_determinants
from eval.maps.pair_images import PairImages
from eval.maps.views import PLANES
from l2r.formats.volumes import Image

SHAPE = (30, 26, 24)


def image(start: tuple[int, int, int], shape: tuple[int, int, int] = SHAPE) -> Image:
    """Texture in a cube of ten voxels a side, 0 around it."""
    array = np.zeros(shape, np.float32, order="F")
    cube = tuple(slice(first, first + 10) for first in start)
    array[cube] = np.random.default_rng(0).uniform(0.5, 1, (10, 10, 10))
    return Image(array)


def field(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, (*SHAPE, 3)).astype(np.float32)


@pytest.mark.parametrize("start", [(10, 8, 8), (0, 8, 14), (20, 16, 0)])
def test_determinants_are_those_of_the_whole_field_and_1_at_its_border(
    start: tuple[int, int, int],
) -> None:
    images, vectors = PairImages(image(start), image(start)), field(1)
    determinants = central_determinants(vectors, precision=np.float32)
    expected = np.pad(determinants, 1, constant_values=1.0)[images.slab]
    np.testing.assert_array_equal(images.determinants(vectors), expected)


def test_the_determinants_of_one_slice_are_those_of_its_plane() -> None:
    texture = image((10, 8, 8))
    flat = Image(texture.array[:, :, 8:9])
    images, vectors = PairImages(flat, flat), field(1)[:, :, 8:9]
    vectors[..., 2] = 0
    determinants = central_determinants(vectors, precision=np.float32)
    expected = at_all_voxels(determinants, (30, 26, 1))[images.slab]
    np.testing.assert_array_equal(images.determinants(vectors), expected)


def test_an_image_warped_as_a_whole_is_shown_as_one_warped_in_the_box() -> None:
    images = PairImages(image((10, 8, 8)), image((9, 8, 7)))
    still = np.zeros((*SHAPE, 3), np.float32)
    np.testing.assert_array_equal(images.displayed(images.moving_image.array), images.warped(still))


def test_the_cuts_go_through_the_middle_of_the_fixed_foreground() -> None:
    images = PairImages(image((10, 8, 8)), image((2, 8, 8)))
    middle = np.add([images.cuts[plane] for plane in PLANES], images.box.start)
    # Every third voxel is looked at, so the middle may be off by one.
    np.testing.assert_allclose(middle, (14.5, 12.5, 12.5), atol=1)


def test_a_moving_image_of_another_shape_is_shown_at_the_same_indices() -> None:
    moving = image((2, 3, 4), (20, 40, 15))
    images = PairImages(image((10, 8, 8)), moving)
    assert images.box.start == (0, 0, 0)
    assert images.moving.shape == images.box.shape
    assert images.moving[2:12, 3:13, 4:14].min() > 0
    assert not images.moving[20:].any()
