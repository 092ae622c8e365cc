from typing import get_args

import pytest
import torch
from torch.nn import functional

from models.losses.gradient_correlation import (
    Difference,
    GradientCorrelation,
    LocalGradientCorrelation,
)
from tests.models.conftest import Golden

DIFFERENCES = get_args(Difference)
KERNELS = {"central": [-1.0, 0, 1], "forward": [-1.0, 1], "sobel": [-1.0, 0, 1]}
KINDS = [GradientCorrelation, LocalGradientCorrelation]
Kind = type[GradientCorrelation] | type[LocalGradientCorrelation]


def volume(seed: int, shape: tuple[int, int, int] = (7, 8, 6)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((2, 1, *shape), generator=generator, dtype=torch.float64)


def convolved(images: torch.Tensor, difference: str) -> list[torch.Tensor]:
    """The derivatives, each by one convolution."""
    line = torch.tensor(KERNELS[difference], dtype=images.dtype)
    across = torch.tensor([1.0, 2, 1] if difference == "sobel" else [1.0], dtype=images.dtype)
    kernel = line[:, None, None] * across[:, None] * across
    return [functional.conv3d(images, kernel.movedim(0, axis)[None, None]) for axis in range(3)]


def correlation(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_value_and_gradient_are_those_of_the_definition(difference: Difference) -> None:
    fixed, warped = volume(1), volume(2).requires_grad_()
    loss = GradientCorrelation(difference=difference).bind(fixed)(warped)
    pairs = zip(convolved(fixed, difference), convolved(warped, difference), strict=True)
    parts = [correlation(f[member], w[member]) for f, w in pairs for member in (0, 1)]
    expected = 1 - torch.stack(parts).mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, warped), torch.autograd.grad(expected, warped)
    )


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_the_local_one_is_the_definition_too(difference: Difference) -> None:
    fixed, warped = volume(1), volume(2).requires_grad_()
    loss = LocalGradientCorrelation(difference=difference, window=5).bind(fixed)(warped)
    kernel = torch.ones(1, 1, 5, 5, 5, dtype=torch.float64)
    parts = []
    for f, w in zip(convolved(fixed, difference), convolved(warped, difference), strict=True):
        sf, sw, sff, sww, sfw = (
            functional.conv3d(v, kernel, padding=2) for v in (f, w, f * f, w * w, f * w)
        )
        variances = (sff - sf**2 / 125) * (sww - sw**2 / 125)
        parts.append(((sfw - sf * sw / 125) / (variances + 1e-5).sqrt()).mean())
    expected = 1 - torch.stack(parts).mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, warped), torch.autograd.grad(expected, warped)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("difference", DIFFERENCES)
def test_the_gradient_passes_gradcheck(kind: Kind, difference: Difference) -> None:
    term = kind(difference=difference).bind(volume(1, (4, 3, 5)))
    assert torch.autograd.gradcheck(term, volume(2, (4, 3, 5)).requires_grad_())


@pytest.mark.parametrize("kind", KINDS)
def test_brightness_and_contrast_do_not_matter_but_the_sign_does(kind: Kind) -> None:
    fixed, warped = 10 * volume(3), 10 * volume(4)
    term = kind().bind(fixed)
    assert float(term(fixed)) == pytest.approx(0, abs=1e-5)
    assert float(term(-fixed)) == pytest.approx(2, abs=1e-5)
    assert float(term(3 * warped + 5)) == pytest.approx(float(term(warped)), abs=1e-5)
    assert float(term(-warped)) == pytest.approx(2 - float(term(warped)), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0.0, 0.7])
def test_flat_images_correlate_with_nothing(kind: Kind, level: float) -> None:
    fixed, flat = volume(5).float(), torch.full((2, 1, 7, 8, 6), level, requires_grad=True)
    for one in (fixed, flat.detach()):
        loss = kind().bind(one)(flat)
        (gradient,) = torch.autograd.grad(loss, flat)
        assert float(loss.detach()) == 1
        assert gradient.isfinite().all()


def test_a_steep_slope_does_not_cost_single_precision_its_digits() -> None:
    slope = 1000 * torch.arange(20.0).view(20, 1, 1)
    fixed, warped = (volume(seed, (20, 8, 9)).float() + slope for seed in (6, 7))
    loss = GradientCorrelation().bind(fixed)(warped)
    exact = GradientCorrelation().bind(fixed.double())(warped.double())
    assert float(loss) == pytest.approx(float(exact), abs=1e-4)


@pytest.mark.golden
@pytest.mark.parametrize("case", ["blob16x20x24", "rand12x13x11"])
@pytest.mark.parametrize(
    ("difference", "published"),
    [("central", "central_valid"), ("forward", "forward"), ("sobel", "sobel_valid")],
)
def test_it_equals_the_published_formula(
    golden: Golden, case: str, difference: Difference, published: str
) -> None:
    vectors = golden("gradient_correlation_f64")
    one, other = (vectors[f"{case}.{name}"][None, None] for name in "ab")
    loss = GradientCorrelation(difference=difference).bind(one)(other)
    torch.testing.assert_close(loss, vectors[f"{case}.{published}.L_GC"], rtol=0, atol=1e-10)
