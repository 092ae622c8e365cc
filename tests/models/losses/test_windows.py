import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from l2r.arrays import triple
from models.losses.windows import box_sum, gaussian_mean

SHAPES = st.tuples(*[st.integers(1, 9)] * 3)
SEEDS = st.integers(0, 2**31)


def random(shape: tuple[int, int, int], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((2, 1, *shape), generator=generator, dtype=torch.float64)


def by_convolution(volume: torch.Tensor, radius: int) -> torch.Tensor:
    width = 2 * radius + 1
    kernel = torch.ones(1, 1, width, width, width, dtype=volume.dtype)
    return functional.conv3d(volume, kernel, padding=radius)


@given(SHAPES, st.integers(0, 5), SEEDS)
def test_it_is_the_convolution_with_ones(
    shape: tuple[int, int, int], radius: int, seed: int
) -> None:
    volume = random(shape, seed)
    torch.testing.assert_close(box_sum(volume, radius), by_convolution(volume, radius))


def test_one_voxel_spreads_over_the_window_and_is_cut_at_the_border() -> None:
    volume = torch.zeros(7, 7, 7)
    volume[3, 3, 0] = 1
    expected = torch.zeros(7, 7, 7)
    expected[2:5, 2:5, :2] = 1
    assert torch.equal(box_sum(volume, 1), expected)


@pytest.mark.parametrize("radius", [0, 20])
def test_a_window_of_one_voxel_changes_nothing_and_a_huge_one_gives_the_total(radius: int) -> None:
    volume = torch.arange(24.0).view(2, 3, 4)
    expected = volume if radius == 0 else volume.sum().expand(2, 3, 4)
    assert torch.equal(box_sum(volume, radius), expected)


def test_the_gaussian_is_cut_at_two_sigma_and_its_weights_add_up_to_one() -> None:
    volume = torch.zeros(25, 25, 25, dtype=torch.float64)
    volume[12, 12, 12] = 1
    line = [math.exp(-(step**2) / 50) if abs(step) <= 10 else 0 for step in range(-12, 13)]
    taps = torch.tensor(line, dtype=torch.float64) / sum(line)
    expected = taps[:, None, None] * taps[:, None] * taps
    torch.testing.assert_close(gaussian_mean(volume, 5.0), expected, rtol=0, atol=1e-15)


@given(SHAPES, st.sampled_from([0.5, 0.8, 1.0, 2.0, 3.3]), SEEDS)
def test_it_is_the_convolution_with_what_one_voxel_becomes(
    shape: tuple[int, int, int], sigma: float, seed: int
) -> None:
    radius = int(2 * sigma)
    voxel = torch.zeros([2 * radius + 1] * 3, dtype=torch.float64)
    voxel[radius, radius, radius] = 1
    shape = triple([max(size, 2) for size in shape])  # one slice has its windows in the plane
    volume, kernel = random(shape, seed), gaussian_mean(voxel, sigma)
    assert kernel.min() > 0
    assert float(kernel.sum()) == pytest.approx(1)
    expected = functional.conv3d(volume, kernel[None, None], padding=radius)
    torch.testing.assert_close(gaussian_mean(volume, sigma), expected)
