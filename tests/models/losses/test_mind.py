from itertools import combinations, product

import pytest
import torch
from torch.nn import functional

from models.losses.mind import Mind


def volume(seed: int, shape: tuple[int, int, int] = (7, 9, 8), batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((batch, 1, *shape), generator=generator, dtype=torch.float64)


def transcribed(image: torch.Tensor, radius: int, dilation: int) -> torch.Tensor:
    """The descriptor of the definition; kernels choose the neighbours."""
    kernels = []
    for axes in combinations(range(3), 2):
        for ends in product((0, 2), repeat=2):
            kernel = torch.zeros(3, 3, 3, dtype=image.dtype)
            for axis, end, sign in zip(axes, ends, (1, -1), strict=True):
                kernel.movedim(axis, 0)[end, 1, 1] = sign
            kernels.append(kernel)
    continued = functional.pad(image, [dilation] * 6, mode="replicate")
    difference = functional.conv3d(continued, torch.stack(kernels)[:, None], dilation=dilation)
    distance = functional.avg_pool3d(difference**2, 2 * radius + 1, stride=1, padding=radius)
    above = distance - distance.amin(dim=1, keepdim=True)
    variance = above.mean(dim=1, keepdim=True)
    mean = variance.mean(dim=(1, 2, 3, 4), keepdim=True).detach()
    return torch.exp(-above / variance.clamp(0.001 * mean, 1000 * mean))


def check(fixed: torch.Tensor, warped: torch.Tensor, radius: int, dilation: int) -> None:
    """Value and gradient against the transcription."""
    warped.requires_grad_()
    loss = Mind(radius=radius, dilation=dilation).bind(fixed)(warped)
    descriptors = [transcribed(image, radius, dilation) for image in (fixed, warped)]
    expected = (descriptors[0] - descriptors[1]).square().mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(3 * loss, warped), torch.autograd.grad(3 * expected, warped)
    )


@pytest.mark.parametrize("radius", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_value_and_gradient_are_those_of_the_definition(radius: int, dilation: int) -> None:
    check(volume(1), volume(2), radius, dilation)


def test_where_the_variance_is_at_its_lower_bound_it_is_a_constant() -> None:
    fixed, warped = volume(3, (8, 8, 12)), volume(4, (8, 8, 12))
    warped[..., :6] *= 1e-3
    check(fixed, warped, 1, 1)


def test_where_the_variance_is_at_its_upper_bound_it_is_a_constant() -> None:
    """One voxel among 8000 that differs by a million times as much as the others."""
    fixed, warped = volume(3, (20, 20, 20), 1), volume(4, (20, 20, 20), 1)
    warped[..., 9, 9, 9] = 1e6
    check(fixed, warped, 0, 1)


def test_the_gradient_by_hand_passes_gradcheck() -> None:
    term = Mind(radius=1, dilation=1).bind(volume(1, (4, 3, 5), 1))
    assert torch.autograd.gradcheck(term, volume(2, (4, 3, 5), 1).requires_grad_())


def test_brightness_contrast_and_its_sign_do_not_matter() -> None:
    fixed, warped = volume(5), volume(6)
    term = Mind().bind(fixed)
    assert float(term(1 - fixed)) == pytest.approx(0, abs=1e-20)
    assert float(term(3 * warped - 7)) == pytest.approx(float(term(warped)))
    assert torch.equal(term(-warped), term(warped))
    assert float(term(warped)) > 0.01


@pytest.mark.parametrize("level", [0.0, 0.7])
def test_flat_images_give_a_finite_value_and_no_gradient(level: float) -> None:
    fixed, flat = volume(7).float(), torch.full((2, 1, 7, 9, 8), level, requires_grad=True)
    for one in (fixed, flat.detach()):
        loss = Mind().bind(one)(flat)
        (gradient,) = torch.autograd.grad(loss, flat)
        assert loss.isfinite()
        assert torch.equal(gradient, torch.zeros_like(flat))


def test_a_large_offset_does_not_cost_single_precision_its_digits() -> None:
    fixed, warped = (volume(seed).float() + 1000 for seed in (8, 9))
    loss = Mind().bind(fixed)(warped)
    exact = Mind().bind(fixed.double())(warped.double())
    assert float(loss) == pytest.approx(float(exact), rel=1e-5)
