"""Agreement of images without regard to their contrast."""

import numpy as np
import pytest

from l2r.check.similarity import NONE, REGIONS, foreground, take_samples
from tests.l2r.making import noise

SHAPE = (20, 24, 22)
ZERO = np.zeros((*SHAPE, 3), np.float32)


@pytest.fixture
def image() -> np.ndarray:
    return noise(*SHAPE)


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (-3, 5), (0.01, 100)])
def test_it_is_the_same_for_any_linear_change_of_grey_values(
    scale: float, shift: float, image: np.ndarray
) -> None:
    samples = take_samples(image, (scale * image + shift).astype(np.float32), ZERO)
    agreement = samples.agreement(samples.stored)
    assert agreement.shape == (REGIONS**3,)
    # float32 grey values leave up to 1e-4 of the variance unexplained where the shift is large
    np.testing.assert_allclose(agreement, -np.log(0.05), rtol=0.01)


def test_images_that_have_nothing_in_common_hardly_agree(image: np.ndarray) -> None:
    samples = take_samples(image, noise(*SHAPE, seed=1), ZERO)
    assert np.abs(samples.agreement(samples.stored) - NONE).max() < 0.2


def test_a_constant_moving_image_agrees_with_nothing(image: np.ndarray) -> None:
    samples = take_samples(image, np.ones(SHAPE, np.float32), ZERO)
    np.testing.assert_allclose(samples.agreement(samples.stored), NONE)


def test_places_are_in_the_foreground_and_the_same_again(image: np.ndarray) -> None:
    image[:10] = 0
    first, second = (take_samples(image, image, ZERO) for _ in range(2))
    assert first.points[0].min() > 9.4
    np.testing.assert_array_equal(first.points, second.points)


def test_the_part_that_stays_inside_is_counted(image: np.ndarray) -> None:
    samples = take_samples(image, image, ZERO)
    assert samples.inside(samples.stored) == 1
    assert samples.inside(samples.stored + 100) == 0


def test_background_is_the_most_frequent_value_whatever_it_is(image: np.ndarray) -> None:
    assert foreground(image).all()
    image[5:] = -1000
    assert foreground(image).sum() == 5 * SHAPE[1] * SHAPE[2]
