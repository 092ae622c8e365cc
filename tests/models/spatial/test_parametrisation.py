import pytest
import torch
from torch import Tensor

from models.spatial.parametrisation import (
    Displacement,
    Parametrisation,
    TimeVaryingVelocity,
    Velocity,
    compose,
    invert,
)
from models.spatial.warp import warp

KINDS = [Velocity(squarings=4), TimeVaryingVelocity(intervals=3), Displacement()]


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
    torch.testing.assert_close(Velocity().forward(velocity), velocity)


def test_the_exponential_solves_its_equation() -> None:
    """On v(x) = a x the flow of one unit of time is x e^a."""
    x = torch.arange(9.0, dtype=torch.float64) - 4
    velocity = torch.zeros(1, 3, 9, 9, 9, dtype=torch.float64)
    velocity[:, 0] = 0.1 * x.view(9, 1, 1)
    expected = x * (torch.exp(torch.tensor(0.1, dtype=torch.float64)) - 1)
    found = Velocity(squarings=8).forward(velocity)[0, 0, :, 4, 4]
    torch.testing.assert_close(found[2:7], expected[2:7], rtol=0, atol=1e-3)


def test_the_exponential_of_minus_v_is_the_inverse() -> None:
    velocity = smooth_field(3, 1.5)
    forward, inverse = Velocity().forward(velocity), Velocity().inverse(velocity)
    error = inside(compose(forward, inverse)).abs().max()
    assert error < 0.05 * inside(forward).abs().max()


def test_no_squaring_leaves_the_velocity_as_it_is() -> None:
    velocity = smooth_field(4, 1)
    assert torch.equal(Velocity(squarings=0).forward(velocity), velocity)
    assert Displacement().forward(velocity) is velocity


def several(parts: int, size: float) -> Tensor:
    return torch.cat([smooth_field(seed, size) for seed in range(parts)])


def test_constant_velocities_that_change_with_time_are_translations_by_their_mean() -> None:
    parameters = torch.tensor([1.0, -3.0, 5.0, 2.0]).view(4, 1, 1, 1, 1).expand(4, 3, 6, 6, 6)
    found = TimeVaryingVelocity(intervals=4).forward(parameters)
    torch.testing.assert_close(found, torch.full((1, 3, 6, 6, 6), 1.25))


def test_velocities_are_followed_in_the_order_of_time() -> None:
    first, second = smooth_field(1, 1.0), smooth_field(2, 1.0)
    found = TimeVaryingVelocity(intervals=2).forward(torch.cat([first, second]))
    torch.testing.assert_close(found, compose(second / 2, first / 2))
    other = TimeVaryingVelocity(intervals=2).forward(torch.cat([second, first]))
    assert (found - other).abs().max() > 0.01


def test_a_velocity_that_does_not_change_gives_its_exponential() -> None:
    velocity = smooth_field(3, 1.0)
    parameters = velocity.expand(64, -1, -1, -1, -1)
    found = TimeVaryingVelocity(intervals=64).forward(parameters)
    expected = Velocity(squarings=6).forward(velocity)
    torch.testing.assert_close(inside(found), inside(expected), rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_the_inverse_undoes_the_forward_transform(kind: Parametrisation) -> None:
    parameters = several(kind.parts, 0.5)
    forward, inverse = kind.forward(parameters), kind.inverse(parameters)
    assert forward.shape == inverse.shape == (1, 3, 16, 18, 14)
    for ways in ((forward, inverse), (inverse, forward)):
        error = inside(compose(*ways)).abs().max()
        assert error < 0.1 * inside(forward).abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_rest_stays_at_rest(kind: Parametrisation) -> None:
    parameters = torch.zeros(kind.parts, 3, 5, 4, 6)
    assert not kind.forward(parameters).any()
    assert not kind.inverse(parameters).any()


def test_the_inverse_of_a_stretch_is_a_compression() -> None:
    """From x to 1.25 x, hence back from y to y / 1.25."""
    x = torch.arange(17.0, dtype=torch.float64) - 8
    field = torch.zeros(1, 3, 17, 5, 5, dtype=torch.float64)
    field[:, 0] = 0.25 * x.view(17, 1, 1)
    torch.testing.assert_close(invert(field)[0, 0, :, 2, 2], -0.2 * x, rtol=0, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Velocity(squarings=0), *KINDS])
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_gradients_reach_what_is_held(kind: Parametrisation, way: str) -> None:
    parameters = torch.cat([smooth_field(seed, 0.3, (4, 3, 5)) for seed in range(kind.parts)])
    assert torch.autograd.gradcheck(getattr(kind, way), parameters.requires_grad_())
