"""Colours, displacements, grids, Jacobians and gradient correlation in a plane."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from eval.maps.colours import DIVERGING, GREY, ColourMap, edges, mark
from eval.maps.fields import deformed_grid, displacement_colours, log_determinants
from eval.maps.gradients import WINDOW, gradient_correlation_slice
from eval.metrics.gradient_correlation import gradient_correlation


def textured(seed: int) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).random((24, 24, 24)), 1.5)
    return ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)


def test_ends_of_a_colour_map_are_its_first_and_last_colour() -> None:
    colours = ColourMap(GREY, -1.0, 1.0)
    assert colours(np.array([[-1.0, 0.0, 1.0]])).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


def test_what_is_beyond_the_ends_or_no_number_has_a_colour_too() -> None:
    colours = ColourMap(GREY, 0.0, 1.0)
    assert colours.indices(np.array([[-5.0, np.nan, np.inf]])).tolist() == [[0, 0, 255]]


def test_the_diverging_colours_are_white_in_the_middle_and_darker_to_both_ends() -> None:
    light = DIVERGING.astype(int).sum(axis=1)
    middle = int(light.argmax())
    assert abs(middle - 127.5) < 1
    assert (np.diff(light[:middle]) >= 0).all()
    assert (np.diff(light[middle + 1 :]) <= 0).all()


def test_edges_are_the_pixels_of_structures_that_touch_others() -> None:
    labels = np.zeros((5, 5), np.uint8)
    labels[1:4, 1:4] = 7
    expected = labels > 0
    expected[2, 2] = False
    np.testing.assert_array_equal(edges(labels), expected)


def test_marking_changes_a_copy() -> None:
    picture = np.zeros((1, 2, 3), np.uint8)
    marked = mark(picture, np.array([[True, False]]), (1, 2, 3))
    assert marked.tolist() == [[[1, 2, 3], [0, 0, 0]]]
    assert not picture.any()


def test_no_displacement_is_grey_and_the_limit_is_a_full_colour() -> None:
    vectors = np.array([[[0.0, 0.0, 0.0], [5.0, -5.0, 50.0]]])
    assert displacement_colours(vectors, 5.0).tolist() == [[[128, 128, 128], [255, 0, 255]]]


def test_lines_of_a_grid_that_is_not_deformed_are_straight() -> None:
    lines = deformed_grid(np.zeros((16, 16, 2)), every=4)
    assert lines[:, 4].all()
    assert lines.mean() == pytest.approx(1 - (13 / 16) ** 2)


def test_a_shift_to_the_right_moves_the_lines_to_the_left() -> None:
    shift = np.zeros((16, 16, 2))
    shift[..., 0] = 1.0
    lines = deformed_grid(shift, every=4)
    assert lines[:, 3].all()
    assert not lines[:, 4].all()


def test_folds_do_not_break_the_logarithm() -> None:
    logs = log_determinants(np.array([1.0, np.e, 0.0, -2.0]))
    assert logs[:2] == pytest.approx([0, 1])
    assert np.isfinite(logs).all()


def whole_map(fixed: np.ndarray, warped: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """The definition, in the whole volume at once."""
    total, axes = np.zeros(fixed.shape), [n for n, size in enumerate(fixed.shape) if size > 1]
    for axis in axes:
        a, b = (np.gradient(image.astype(np.float64), axis=axis) for image in (fixed, warped))
        joint, own, other = (uniform_filter(part, window) for part in (a * b, a * a, b * b))
        total += joint / (np.sqrt(own * other) + 1e-4)
    return total / len(axes)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("at", [0, 3, 12, 23])
def test_a_slice_is_that_of_the_whole_map_up_to_the_border(axis: int, at: int) -> None:
    one, other = textured(1), textured(2)
    found = gradient_correlation_slice(one, other, axis, at)
    expected = whole_map(one, other).take(at, axis)
    np.testing.assert_allclose(found, expected, atol=1e-4)  # single precision


def test_an_image_thinner_than_the_window_is_mirrored_several_times() -> None:
    one, other = textured(1)[:3], textured(2)[:3]
    found = gradient_correlation_slice(one, other, axis=0, at=1)
    np.testing.assert_allclose(found, whole_map(one, other)[1], atol=1e-4)  # as above


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_image_of_one_slice_correlates_over_the_axes_of_its_plane(axis: int) -> None:
    one, other = textured(1)[:, :, 12:13], textured(2)[:, :, 12:13]
    found = gradient_correlation_slice(one, other, axis, at=0)
    np.testing.assert_allclose(found, whole_map(one, other).take(0, axis), atol=1e-4)  # as above


def test_an_image_correlates_with_itself_and_not_with_another() -> None:
    one, other = textured(1), textured(2)
    itself = gradient_correlation_slice(one, one, 0, 12)[8:-8, 8:-8]
    assert itself.min() > 0.9
    assert abs(gradient_correlation_slice(one, other, 0, 12).mean()) < 0.2
    inverted = gradient_correlation_slice(one, 1 - one, 0, 12)
    assert inverted.mean() == pytest.approx(-itself.mean(), abs=0.1)


def test_a_flat_image_correlates_with_nothing() -> None:
    flat = np.full((24, 24, 24), 0.5, np.float32)
    assert not gradient_correlation_slice(textured(1), flat, 1, 5).any()


def test_a_window_as_large_as_the_image_gives_the_metric() -> None:
    one = textured(1)
    other = (one + 0.3 * textured(2)).astype(np.float32)
    # The metric leaves out the border and subtracts means; on texture that is a few hundredths.
    local = gradient_correlation_slice(one, other, 0, 12, window=49)[12, 12]
    assert local == pytest.approx(gradient_correlation(one, other), abs=0.05)
