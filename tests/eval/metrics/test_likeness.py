"""SSIM and FSIM, held against numbers of scikit-image and of piq."""

import numpy as np
import pytest

from eval.metrics.fsim import feature_similarity
from eval.metrics.phase_congruency import phase_congruency
from eval.metrics.ssim import structural_similarity


def blobs(shift: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    one = np.exp(-((x - 20 - shift) ** 2 + (y - 16) ** 2) / 60)
    other = 0.6 * np.exp(-((x - 44 - shift) ** 2 + (y - 30) ** 2) / 30)
    return (one + other + 0.2 * np.sin(x / 3 + y / 5)).clip(0, 1)


def enlarged(image: np.ndarray) -> np.ndarray:
    return np.kron(image, np.ones((9, 9)))


PAIRS = {
    "shifted": (blobs(), blobs(1.5)),
    "darker": (blobs(), 0.5 * blobs()),
    "odd": (blobs()[:47, :63], blobs(1.5)[:47, :63]),
    "large": (enlarged(blobs()), enlarged(blobs(1.5))),
}
# skimage.metrics.structural_similarity(a, b, gaussian_weights=True, sigma=1.5,
# use_sample_covariance=False, data_range=1.0) of scikit-image 0.26.0
SCIKIT_IMAGE = {
    "shifted": 0.9560552103353933,
    "darker": 0.7224766065954551,
    "odd": 0.9540255864254034,
    "large": 0.971402413076289,
}
# piq.fsim(a, b, chromatic=False, data_range=1.0) of piq 0.8.0, in double precision
PIQ = {
    "shifted": 0.976656343940934,
    "darker": 0.8732881898924066,
    "odd": 0.9760686919113711,
    "large": 0.9879331094324545,
}
each_pair = pytest.mark.parametrize("name", PAIRS)


@each_pair
def test_ssim_is_that_of_scikit_image(name: str) -> None:
    one, other = (image[..., None] for image in PAIRS[name])
    assert structural_similarity(one, other) == pytest.approx(SCIKIT_IMAGE[name], abs=1e-12)


def test_ssim_of_a_volume_has_windows_in_three_dimensions() -> None:
    one, other = np.random.default_rng(1).random((2, 14, 15, 16))
    # scikit-image 0.26.0, as above
    assert structural_similarity(one, other) == pytest.approx(-0.0394834131541795, abs=1e-12)


@each_pair
def test_fsim_is_that_of_piq(name: str) -> None:
    one, other = PAIRS[name]
    # piq adds its smallest number to other denominators.
    assert feature_similarity(255 * one, 255 * other) == pytest.approx(PIQ[name], abs=3e-6)


@each_pair
def test_equal_images_are_alike_and_the_order_does_not_matter(name: str) -> None:
    one, other = PAIRS[name]
    assert structural_similarity(one[..., None], one[..., None]) == pytest.approx(1)
    assert feature_similarity(255 * one, 255 * one) == pytest.approx(1)
    assert feature_similarity(255 * one, 255 * other) == pytest.approx(
        feature_similarity(255 * other, 255 * one)
    )


def test_both_fall_with_the_shift() -> None:
    shifts = [0.5, 1.0, 2.0, 4.0]
    ssim = [structural_similarity(blobs()[..., None], blobs(by)[..., None]) for by in shifts]
    fsim = [feature_similarity(255 * blobs(), 255 * blobs(by)) for by in shifts]
    assert ssim == sorted(ssim, reverse=True)
    assert fsim == sorted(fsim, reverse=True)


def test_both_axes_are_treated_alike() -> None:
    one, other = PAIRS["shifted"]
    turned = feature_similarity(255 * one.T, 255 * other.T)
    assert feature_similarity(255 * one, 255 * other) == pytest.approx(turned, abs=1e-3)


def test_phase_congruency_finds_edges_whatever_their_contrast() -> None:
    step = np.where(np.arange(64) < 32, 50.0, 200.0) * np.ones((64, 1))
    found, weak = phase_congruency(step), phase_congruency(50 + 0.1 * (step - 50))
    assert found[32, 31:33].min() > 0.75
    assert found[32, 22:28].max() < 0.35
    np.testing.assert_allclose(found[20:40, 28:36], weak[20:40, 28:36], atol=0.02)


def test_what_holds_nothing_has_no_likeness() -> None:
    flat = np.full((20, 20), 7.0)
    assert np.isnan(feature_similarity(flat, flat))
    assert np.isnan(structural_similarity(np.ones((10, 30, 1)), np.ones((10, 30, 1))))
