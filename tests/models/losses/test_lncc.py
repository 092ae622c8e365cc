import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from models.losses.lncc import Definition, Lncc, LocalCorrelation
from tests.models.conftest import Golden


def volume(seed: int, shape: tuple[int, int, int] = (6, 7, 5)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((1, 1, *shape), generator=generator, dtype=torch.float64)


def transcribed(
    fixed: torch.Tensor, warped: torch.Tensor, window: int, *, squared: bool
) -> torch.Tensor:
    """The definition, term by term, with a dense kernel."""
    kernel = torch.ones(1, 1, window, window, window, dtype=fixed.dtype)

    def total(v: torch.Tensor) -> torch.Tensor:
        return functional.conv3d(v, kernel, padding=window // 2)

    count = window**3
    f, w = total(fixed), total(warped)
    covariance = total(fixed * warped) - f * w / count
    variances = (total(fixed**2) - f**2 / count) * (total(warped**2) - w**2 / count)
    if squared:
        return -(covariance**2 / (variances + 1e-5)).mean()
    return -(covariance / (variances + 1e-5).sqrt()).mean()


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("window", [3, 5, 9])
def test_value_and_gradient_are_those_of_the_definition(window: int, squared: bool) -> None:
    fixed, warped = volume(1), volume(2).requires_grad_()
    loss, expected = (
        Lncc(window=window, squared=squared).bind(fixed)(warped),
        transcribed(fixed, warped, window, squared=squared),
    )
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(3 * loss, warped), torch.autograd.grad(3 * expected, warped)
    )


@pytest.mark.parametrize("squared", [True, False])
def test_the_gradient_by_hand_passes_gradcheck(squared: bool) -> None:
    term = Lncc(window=3, squared=squared).bind(volume(1, (4, 3, 5)))
    assert torch.autograd.gradcheck(term, volume(2, (4, 3, 5)).requires_grad_())


def test_it_ignores_brightness_and_contrast_far_from_the_border() -> None:
    fixed = volume(3, (9, 9, 9))
    term = Lncc(window=9).bind(fixed)
    assert float(term(2 * fixed)) == pytest.approx(float(term(fixed)), abs=1e-3)
    assert float(term(2 * fixed)) == pytest.approx(float(term(-fixed)), abs=1e-3)


def test_equal_images_reach_minus_one_and_flat_ones_zero() -> None:
    fixed = 10 * volume(4)
    term = Lncc(window=5).bind(fixed)
    assert float(term(fixed)) == pytest.approx(-1, abs=1e-4)
    assert float(term(torch.zeros_like(fixed))) == 0


def test_not_squared_an_inverted_contrast_is_the_worst() -> None:
    fixed = 10 * volume(4)
    term = Lncc(window=5, squared=False).bind(fixed)
    assert float(term(fixed)) == pytest.approx(-1, abs=1e-4)
    assert float(term(2 * fixed)) == pytest.approx(-1, abs=1e-4)
    assert float(term(-fixed)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("level", [0.0, 0.7])
def test_flat_images_give_a_finite_value_and_gradient(level: float, squared: bool) -> None:
    fixed, flat = volume(5).float(), torch.full((1, 1, 6, 7, 5), level, requires_grad=True)
    for one in (fixed, flat.detach()):
        loss = Lncc(squared=squared).bind(one)(flat)
        (gradient,) = torch.autograd.grad(loss, flat)
        assert loss.isfinite()
        assert gradient.isfinite().all()


def test_no_root_is_taken_of_variances_below_zero() -> None:
    """Rounding makes some: the squares add up to 7e8, where float32 has steps of 64."""
    fixed, warped = (1000 + 0.01 * volume(seed, (12, 12, 12)).float() for seed in (6, 7))
    assert Lncc(squared=False).bind(fixed)(warped.requires_grad_()).isfinite()


def test_what_is_clamped_has_no_slope() -> None:
    """With this "window" every variance is -2 w^2."""

    def twice(volumes: torch.Tensor) -> torch.Tensor:
        return 2 * volumes

    definition = Definition(twice, count=1, squared=False, each=0.1)
    fixed, warped = volume(1), volume(2).requires_grad_()
    loss = LocalCorrelation(fixed, definition)(warped)
    torch.testing.assert_close(loss, (20 * fixed * warped).mean())
    torch.testing.assert_close(torch.autograd.grad(loss, warped)[0], 20 * fixed / fixed.numel())


def test_a_window_without_a_centre_is_refused() -> None:
    with pytest.raises(ValidationError, match="odd"):
        Lncc(window=4)


@pytest.mark.golden
@pytest.mark.parametrize("case", ["blob16x20x24", "rand12x13x11", "batch2_9x9x9"])
def test_it_equals_the_published_code(golden: Golden, case: str) -> None:
    vectors = golden("losses_similarity")
    warped, fixed = vectors[f"{case}.a"].requires_grad_(), vectors[f"{case}.b"]
    loss = Lncc(window=9).bind(fixed)(warped)
    loss.backward()
    torch.testing.assert_close(loss, vectors[f"{case}.NCC_vxm_win9"], rtol=0, atol=1e-6)
    expected = vectors[f"{case}.NCC_vxm_win9.grad"]
    torch.testing.assert_close(
        warped.grad, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())
    )
    for window in (9, 5, 3):
        exact = vectors[f"{case}.NCC_vxm_win{window}.f64"]
        double = Lncc(window=window).bind(fixed.double())(warped.detach().double())
        torch.testing.assert_close(double, exact, rtol=0, atol=1e-10)


def with_noise(fixed: torch.Tensor, warped: torch.Tensor, noise: float) -> torch.Tensor:
    """Squared correlation in windows of three voxels a side, whose variances have a floor."""
    kernel = torch.ones(1, 1, 3, 3, 3, dtype=fixed.dtype) / 27

    def mean(v: torch.Tensor) -> torch.Tensor:
        return functional.conv3d(v, kernel, padding=1)

    covariance = mean(fixed * warped) - mean(fixed) * mean(warped)
    one, other = (mean(v**2) - mean(v) ** 2 + noise**2 for v in (fixed, warped))
    return covariance**2 / (one * other)


@pytest.mark.parametrize("masked", [True, False])
def test_a_floor_of_noise_and_a_mask_are_as_defined(masked: bool) -> None:
    fixed, warped = volume(1), volume(2).requires_grad_()
    fixed[:, :, :3] = 0  # background
    local = with_noise(fixed, warped, 0.1)
    expected = -(local * (fixed > 0) if masked else local).mean()
    loss = Lncc(window=3, noise=0.1, masked=masked).bind(fixed)(warped)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, warped), torch.autograd.grad(expected, warped)
    )


def test_a_mask_of_the_root_takes_part_in_the_gradient() -> None:
    fixed = volume(1, (4, 3, 5))
    fixed[:, :, :2] = 0
    term = Lncc(window=3, squared=False, noise=0.1, masked=True).bind(fixed)
    assert torch.autograd.gradcheck(term, volume(2, (4, 3, 5)).requires_grad_())


def test_texture_below_the_noise_counts_for_little() -> None:
    fixed = volume(3, (9, 9, 9))
    weak = 1e-3 * fixed
    strict, loose = (Lncc(window=3, noise=noise).bind(weak)(weak) for noise in (0.0, 0.1))
    assert float(Lncc(window=3, noise=0.01).bind(fixed)(fixed)) < -0.9
    assert float(loose) > -1e-3
    assert float(strict) < 10 * float(loose)
