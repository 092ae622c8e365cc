"""The losses of the networks and the metrics of the judge are written twice, and must agree."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from eval.metrics.gradient_correlation import gradient_correlation
from eval.metrics.lncc import local_correlation
from models.losses.gradient_correlation import GradientCorrelation
from models.losses.lncc import Lncc

SHAPE = (17, 14, 15)


def images(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two that are alike, in [0, 1], with a background of 0."""
    rng = np.random.default_rng(seed)
    body = gaussian_filter(rng.random(SHAPE), 1)
    body[:4] = 0
    other = body + 0.05 * gaussian_filter(rng.random(SHAPE), 1)
    return body / body.max(), other / other.max()


def loss(config: Lncc | GradientCorrelation, fixed, warped) -> float:
    one, other = (torch.from_numpy(image).float()[None, None] for image in (fixed, warped))
    return float(config.bind(one)(other))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("window", [3, 9])
def test_local_correlation(seed: int, window: int) -> None:
    fixed, warped = images(seed)
    found = -loss(Lncc(window=window), fixed, warped)
    assert found == pytest.approx(local_correlation(fixed, warped, window), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_correlation(seed: int) -> None:
    fixed, warped = images(seed)
    found = 1 - loss(GradientCorrelation(), fixed, warped)
    assert found == pytest.approx(gradient_correlation(fixed, warped), abs=1e-5)
