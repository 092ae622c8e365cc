"""Likeness of the fixed and the warped image."""

import numpy as np
import pytest
from pydantic import ValidationError

from eval.metrics.gradient_correlation import GradientCorrelationMetric, gradient_correlation
from eval.metrics.lncc import LnccMetric, local_correlation, normalised
from tests.eval import oracles
from tests.eval.conftest import Phantom, save

SHAPE = (12, 10, 9)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE)


def by_windows(fixed: np.ndarray, warped: np.ndarray, window: int, every: int = 1) -> float:
    """The definition, voxel by voxel; only in the middle of so many planes."""
    reach, values = window // 2, []
    f, w = (np.pad(image, reach) for image in (fixed, warped))
    for place in np.ndindex(fixed.shape):
        box = tuple(slice(start, start + window) for start in place)
        a, b = f[box] - f[box].mean(), w[box] - w[box].mean()
        values.append((a * b).sum() ** 2 / ((a * a).sum() * (b * b).sum() + 1e-5))
    return float(np.mean(np.reshape(values, fixed.shape)[..., every // 2 :: every]))


@pytest.mark.parametrize("window", [3, 5])
def test_local_correlation_is_what_the_windows_say(window: int) -> None:
    found = local_correlation(noise(0), noise(1), window)
    assert found == pytest.approx(by_windows(noise(0), noise(1), window), rel=1e-9)


def test_windows_of_every_third_plane_are_some_of_all() -> None:
    a, b = noise(0), noise(1)
    assert local_correlation(a, b, 9, 3) == pytest.approx(by_windows(a, b, 9, 3), rel=1e-9)


def test_an_image_of_one_slice_has_no_planes_to_leave_out() -> None:
    a, b = noise(0)[..., :1], noise(1)[..., :1]
    assert local_correlation(a, b, 9, 3) == local_correlation(a, b, 9)


@pytest.mark.parametrize("width", [0, 1, 3])
def test_an_empty_border_is_counted_without_being_looked_at(width: int) -> None:
    fixed = np.pad(noise(0)[4:7, 4:8, 3:5], [(4, 5), (width, 4), (3, 0)])
    warped = np.random.default_rng(1).random(fixed.shape)
    found = local_correlation(fixed, warped, 3)
    assert found == pytest.approx(by_windows(fixed, warped, 3), rel=1e-9)  # rounding of sums


def test_local_correlation_sees_neither_brightness_nor_the_sign_of_contrast() -> None:
    inner = (slice(3, -3),) * 3
    a = np.zeros(SHAPE)
    a[inner] = noise(2)[inner]
    assert local_correlation(a, -a, 3) == local_correlation(a, a, 3)
    assert local_correlation(noise(2), noise(2), 9) == pytest.approx(1.0, abs=1e-4)


def test_a_flat_image_correlates_with_nothing() -> None:
    flat = np.zeros(SHAPE)
    assert local_correlation(flat, noise(3), 5) == pytest.approx(0.0, abs=1e-12)
    assert gradient_correlation(flat, noise(3)) == 0.0


def test_a_window_has_a_centre() -> None:
    with pytest.raises(ValidationError, match="must be odd"):
        LnccMetric(name="L", window=4)


def test_edges_correlate_up_to_brightness_and_contrast() -> None:
    assert gradient_correlation(noise(4), 3 * noise(4) + 7) == pytest.approx(1.0)
    assert gradient_correlation(noise(4), -noise(4)) == pytest.approx(-1.0)
    assert abs(gradient_correlation(noise(4), noise(5))) < 0.2


def test_the_mean_is_over_the_axes() -> None:
    """A wave along x; the other image has it inverted, and another along y that is the same."""
    x, y, _ = np.indices(SHAPE)
    wave, other = np.sin(x), np.cos(y)
    correlation = gradient_correlation(wave + other, other - wave)
    assert correlation == pytest.approx((-1 + 1 + 0) / 3, abs=1e-9)


def test_normalised_images_reach_1() -> None:
    assert np.abs(normalised(np.array([[[-1000.0, 500.0]]]))).max() == 1.0
    assert normalised(np.zeros((1, 1, 2))).tolist() == [[[0.0, 0.0]]]


@pytest.mark.parametrize(
    "metric", [LnccMetric(name="L"), GradientCorrelationMetric(name="G")], ids=str
)
def test_the_unit_of_the_intensities_does_not_matter(metric, phantom: Phantom) -> None:
    before = metric(phantom.case(0)).mean
    for number in (1, 2):
        path = phantom.folder / f"imagesVal/PHANTOM_{number:04}_0000.nii.gz"
        save(path, 10.0 * oracles.load(path))
    assert metric(phantom.case(0)).mean == pytest.approx(before, rel=1e-6)


def test_it_is_the_warped_image_that_is_compared(phantom: Phantom) -> None:
    case = phantom.case(0)
    fixed, warped = case.images
    moving = oracles.load(phantom.folder / "imagesVal/PHANTOM_0001_0000.nii.gz")
    np.testing.assert_allclose(warped, oracles.warp(moving, case.vectors, 1), atol=1e-4)
    expected = gradient_correlation(fixed / fixed.max(), warped / warped.max())
    assert GradientCorrelationMetric(name="G")(case).mean == pytest.approx(expected)
    assert case.images is case.images
