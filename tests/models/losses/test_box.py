import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models.losses.box import box_sum


def by_convolution(volume: torch.Tensor, radius: int) -> torch.Tensor:
    width = 2 * radius + 1
    kernel = torch.ones(1, 1, width, width, width, dtype=volume.dtype)
    return functional.conv3d(volume, kernel, padding=radius)


@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.integers(0, 5),
    st.integers(0, 2**31),
)
def test_it_is_the_convolution_with_ones(
    shape: tuple[int, int, int], radius: int, seed: int
) -> None:
    volume = torch.randn(
        (2, 1, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
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
