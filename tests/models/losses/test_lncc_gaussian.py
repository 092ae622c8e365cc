import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from models.losses.lncc_gaussian import LnccGaussian
from tests.models.conftest import Golden


def volume(seed: int, shape: tuple[int, int, int] = (9, 7, 8)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((2, 1, *shape), generator=generator, dtype=torch.float64)


def gauss(sigma: int, dtype: torch.dtype) -> torch.Tensor:
    steps = torch.arange(-2 * sigma, 2 * sigma + 1, dtype=dtype)
    taps = torch.exp(-0.5 * (steps / sigma) ** 2)
    return taps / taps.sum()


def transcribed(
    fixed: torch.Tensor, warped: torch.Tensor, taps: torch.Tensor, *, squared: bool
) -> torch.Tensor:
    """The definition, term by term, with one convolution per axis."""

    def mean(v: torch.Tensor) -> torch.Tensor:
        for shape in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)):
            v = functional.conv3d(v, taps.view(1, 1, *shape), padding="same")
        return v

    covariance = mean(fixed * warped) - mean(fixed) * mean(warped)
    variances = [(mean(v * v) - mean(v) ** 2).relu() + 1e-5 for v in (fixed, warped)]
    correlation = covariance / (variances[0] * variances[1]).sqrt()
    return 1 - (correlation**2 if squared else correlation).mean()


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("sigma", [1, 2, 5])
def test_value_and_gradient_are_those_of_the_definition(sigma: int, squared: bool) -> None:
    fixed, warped = volume(1), volume(2).requires_grad_()
    loss = LnccGaussian(sigma=sigma, squared=squared).bind(fixed)(warped)
    expected = transcribed(fixed, warped, gauss(sigma, torch.float64), squared=squared)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(3 * loss, warped), torch.autograd.grad(3 * expected, warped)
    )


@pytest.mark.parametrize("squared", [True, False])
def test_the_gradient_by_hand_passes_gradcheck(squared: bool) -> None:
    term = LnccGaussian(sigma=1.2, squared=squared).bind(volume(1, (4, 3, 5)))
    assert torch.autograd.gradcheck(term, volume(2, (4, 3, 5)).requires_grad_())


def test_only_the_square_takes_an_inverted_contrast_for_as_good() -> None:
    fixed = 100 * volume(3)
    once, squared = (LnccGaussian(sigma=2, squared=s).bind(fixed) for s in (False, True))
    for factor, distance in ((1, 0), (3, 0), (-1, 2)):
        assert float(once(factor * fixed)) == pytest.approx(distance, abs=1e-5)
        assert float(squared(factor * fixed)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("level", [0.0, 0.7])
def test_flat_images_give_a_finite_value_and_gradient(level: float, squared: bool) -> None:
    fixed, flat = volume(5).float(), torch.full((2, 1, 9, 7, 8), level, requires_grad=True)
    for one in (fixed, flat.detach()):
        loss = LnccGaussian(squared=squared).bind(one)(flat)
        (gradient,) = torch.autograd.grad(loss, flat)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("sigma", [0.4, 0, -1, float("inf"), float("nan")])
def test_a_window_of_one_voxel_or_without_end_is_refused(sigma: float) -> None:
    with pytest.raises(ValidationError, match="sigma"):
        LnccGaussian(sigma=sigma)


@pytest.mark.golden
@pytest.mark.parametrize("case", ["blob16x20x24", "rand12x13x11", "batch2_9x9x9"])
def test_it_equals_the_published_code(golden: Golden, case: str) -> None:
    vectors = golden("losses_similarity")
    warped, fixed = vectors[f"{case}.a"].requires_grad_(), vectors[f"{case}.b"]
    loss = LnccGaussian().bind(fixed)(warped)
    loss.backward()
    torch.testing.assert_close(loss, vectors[f"{case}.icon_LNCC_sigma5"], rtol=0, atol=1e-6)
    expected = vectors[f"{case}.icon_LNCC_sigma5.grad"]
    torch.testing.assert_close(
        warped.grad, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())
    )


@pytest.mark.golden
@pytest.mark.parametrize("case", ["blob16x20x24", "rand12x13x11", "batch2_9x9x9"])
@pytest.mark.parametrize(
    ("published", "sigma", "squared"),
    [
        ("icon_LNCC_sigma5", 5, False),
        ("icon_LNCC_sigma2", 2, False),
        ("icon_SquaredLNCC_sigma5", 5, True),
    ],
)
def test_in_double_precision_it_equals_the_published_code(
    golden: Golden, case: str, published: str, sigma: int, squared: bool
) -> None:
    """But for the taps, which the published code rounds to single precision."""
    vectors = golden("losses_similarity")
    warped, fixed = vectors[f"{case}.a"].double(), vectors[f"{case}.b"].double()
    exact = vectors[f"{case}.{published}.f64"]
    rounded = transcribed(fixed, warped, gauss(sigma, torch.float32).double(), squared=squared)
    torch.testing.assert_close(rounded, exact, rtol=0, atol=1e-10)
    loss = LnccGaussian(sigma=sigma, squared=squared).bind(fixed)(warped)
    torch.testing.assert_close(loss, exact, rtol=0, atol=1e-6)
