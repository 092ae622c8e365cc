"""Metrics of an image of one slice are those of two dimensions."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import uniform_filter

from eval.folded_area import folded_area
from eval.jacobian import at_all_voxels, central_determinants
from eval.maps.gradients import gradient_correlation_slice
from eval.metrics.distances import between_masks, mean_distance, robust_hausdorff
from eval.metrics.gradient_correlation import gradient_correlation
from eval.metrics.lncc import local_correlation
from eval.metrics.ndv import non_diffeomorphic_volume
from tests.eval import oracles

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 14, 11))
EVERYWHERE = np.ones((7, 6, 1), bool)
flat_masks = arrays(np.bool_, (6, 5), elements=st.booleans())


def still() -> np.ndarray:
    return np.zeros((7, 6, 1, 3))


@settings(deadline=None, max_examples=60)
@given(flat_masks, flat_masks)
def test_surfaces_are_the_outlines_of_the_package(a: np.ndarray, b: np.ndarray) -> None:
    assume(a.any() and b.any())
    flat = partial(between_masks, a[..., None], b[..., None], spacing=(2.0, 1.5, 3.0))
    expected = oracles.hd95(a, b, spacing=(2.0, 1.5))
    assert flat(partial(robust_hausdorff, percent=95.0)) == pytest.approx(expected)
    assert flat(mean_distance) == pytest.approx(oracles.assd(a, b, (2.0, 1.5)))


def test_a_shifted_square_is_a_shift_away() -> None:
    a, b = np.zeros((2, 20, 20, 1), bool)
    a[2:8, 5:15], b[6:12, 5:15] = True, True
    assert between_masks(a, b, partial(robust_hausdorff, percent=95.0)) == 4


def test_determinants_are_those_of_the_plane() -> None:
    matrix = np.array([[0.1, 0.2], [0.4, -0.5]])
    vectors = still()
    vectors[..., 0, :2] = np.moveaxis(np.indices((7, 6)), 0, -1) @ matrix.T
    found = central_determinants(vectors)
    assert found.shape == (5, 4, 1)
    np.testing.assert_allclose(found, np.linalg.det(np.eye(2) + matrix))
    whole = at_all_voxels(found, (7, 6, 1))
    np.testing.assert_array_equal(whole[1:-1, 1:-1], found)
    assert (whole[[0, -1]] == 1).all()


def test_an_image_that_is_turned_over_has_all_its_area_folded() -> None:
    vectors = still()
    vectors[..., 0] = 6 - 2 * np.arange(7)[:, None, None]
    assert non_diffeomorphic_volume(vectors, EVERYWHERE) == folded_area(vectors, EVERYWHERE) == 20


def test_a_pixel_that_passes_its_neighbour_folds_two_triangles() -> None:
    """A step of 1.5 to the right: triangles to the right turn over by half their area."""
    vectors = still()
    vectors[3, 3, 0, 0] = 1.5
    # Each of J = -0.5, at the pixel and at its right neighbour.
    assert folded_area(vectors, EVERYWHERE) == pytest.approx(4 * 0.5 / 4)
    assert folded_area(vectors, ~EVERYWHERE) == 0


def test_a_line_of_pixels_has_no_area() -> None:
    assert folded_area(np.full((7, 1, 1, 3), 9.0), np.ones((7, 1, 1), bool)) == 0


def test_windows_of_lncc_are_squares() -> None:
    fixed, warped = IMAGES

    def mean(image: np.ndarray) -> np.ndarray:
        return uniform_filter(image, 5, mode="constant")

    covariance = mean(fixed * warped) - mean(fixed) * mean(warped)
    one, other = (mean(image**2) - mean(image) ** 2 for image in IMAGES)
    expected = np.mean((25 * covariance) ** 2 / (625 * one * other + 1e-5))
    assert local_correlation(fixed[..., None], warped[..., None], 5) == pytest.approx(expected)


def test_gradients_are_correlated_along_two_axes() -> None:
    fixed, warped = IMAGES
    rows = np.corrcoef(*(np.ravel(i[2:] - i[:-2]) for i in IMAGES))[0, 1]
    columns = np.corrcoef(*(np.ravel(i[:, 2:] - i[:, :-2]) for i in IMAGES))[0, 1]
    found = gradient_correlation(fixed[..., None], warped[..., None])
    assert found == pytest.approx((rows + columns) / 2)
    bright = 10 * fixed[..., None]
    same = gradient_correlation_slice(bright, bright, axis=2, at=0)
    np.testing.assert_allclose(same, 1, atol=1e-3)  # but for what keeps it from dividing by 0
