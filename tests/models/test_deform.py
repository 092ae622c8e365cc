import pytest
import torch
from torch import Tensor

from models.deform import DisplacementConfig, VelocityConfig, compose
from models.spatial import warp


def smooth_field(seed: int, size: float, shape: tuple[int, int, int] = (16, 18, 14)) -> Tensor:
    coarse = torch.randn(
        (1, 3, 3, 3, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return size * torch.nn.functional.interpolate(
        coarse, size=shape, mode="trilinear", align_corners=True
    )


def inside(tensor: Tensor, margin: int = 4) -> Tensor:
    return tensor[..., margin:-margin, margin:-margin, margin:-margin]


def test_composing_equals_warping_twice() -> None:
    outer, inner = smooth_field(1, 0.8), smooth_field(2, 0.8)
    ramp = torch.arange(16.0, dtype=torch.float64).view(1, 1, 16, 1, 1).expand(1, 1, 16, 18, 14)
    twice = warp(warp(ramp, outer), inner)
    torch.testing.assert_close(inside(warp(ramp, compose(outer, inner))), inside(twice))


def test_translations_add_up_also_at_the_border() -> None:
    outer, inner = torch.zeros(1, 3, 5, 5, 5), torch.zeros(1, 3, 5, 5, 5)
    outer[:, 0], inner[:, 0] = 2.0, 1.5
    assert torch.equal(compose(outer, inner)[:, 0], torch.full((1, 5, 5, 5), 3.5))


def test_a_constant_velocity_is_a_translation_by_itself() -> None:
    velocity = torch.full((1, 3, 6, 6, 6), 1.25)
    torch.testing.assert_close(VelocityConfig()(velocity), velocity)


def test_the_exponential_solves_its_equation() -> None:
    """On v(x) = a x the flow of one unit of time is x e^a."""
    x = torch.arange(9.0, dtype=torch.float64) - 4
    velocity = torch.zeros(1, 3, 9, 9, 9, dtype=torch.float64)
    velocity[:, 0] = 0.1 * x.view(9, 1, 1)
    expected = x * (torch.exp(torch.tensor(0.1, dtype=torch.float64)) - 1)
    found = VelocityConfig(squarings=8)(velocity)[0, 0, :, 4, 4]
    torch.testing.assert_close(found[2:7], expected[2:7], rtol=0, atol=1e-3)


def test_the_exponential_of_minus_v_is_the_inverse() -> None:
    velocity = smooth_field(3, 1.5)
    forth, back = VelocityConfig()(velocity), VelocityConfig()(-velocity)
    error = inside(compose(forth, back)).abs().max()
    assert error < 0.05 * inside(forth).abs().max()


def test_no_squaring_leaves_the_velocity_as_it_is() -> None:
    velocity = smooth_field(4, 1)
    assert torch.equal(VelocityConfig(squarings=0)(velocity), velocity)
    assert DisplacementConfig()(velocity) is velocity


@pytest.mark.parametrize("squarings", [0, 2])
def test_gradients_reach_the_velocity(squarings: int) -> None:
    velocity = smooth_field(5, 0.3, (4, 3, 5)).requires_grad_()
    assert torch.autograd.gradcheck(VelocityConfig(squarings=squarings), velocity)
