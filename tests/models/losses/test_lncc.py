import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from models.losses.lncc import LnccConfig
from tests.models.conftest import Golden


def volume(seed: int, shape: tuple[int, int, int] = (6, 7, 5)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((1, 1, *shape), generator=generator, dtype=torch.float64)


def transcribed(fixed: torch.Tensor, warped: torch.Tensor, window: int) -> torch.Tensor:
    """The definition, term by term, with a dense kernel."""
    kernel = torch.ones(1, 1, window, window, window, dtype=fixed.dtype)

    def total(v: torch.Tensor) -> torch.Tensor:
        return functional.conv3d(v, kernel, padding=window // 2)

    count = window**3
    f, w = total(fixed), total(warped)
    covariance = total(fixed * warped) - f * w / count
    variances = (total(fixed**2) - f**2 / count) * (total(warped**2) - w**2 / count)
    return -(covariance**2 / (variances + 1e-5)).mean()


@pytest.mark.parametrize("window", [3, 5, 9])
def test_value_and_gradient_are_those_of_the_definition(window: int) -> None:
    fixed, warped = volume(1), volume(2).requires_grad_()
    loss, expected = (
        LnccConfig(window=window).bind(fixed)(warped),
        transcribed(fixed, warped, window),
    )
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(3 * loss, warped), torch.autograd.grad(3 * expected, warped)
    )


def test_the_gradient_by_hand_passes_gradcheck() -> None:
    term = LnccConfig(window=3).bind(volume(1, (4, 3, 5)))
    assert torch.autograd.gradcheck(term, volume(2, (4, 3, 5)).requires_grad_())


def test_it_ignores_brightness_and_contrast_far_from_the_border() -> None:
    fixed = volume(3, (9, 9, 9))
    term = LnccConfig(window=9).bind(fixed)
    centre = LnccConfig(window=9)
    assert term(fixed) == pytest.approx(float(centre.bind(fixed)(fixed)))
    assert float(term(2 * fixed)) == pytest.approx(float(term(-fixed)), abs=1e-3)


def test_equal_images_reach_minus_one_and_flat_ones_zero() -> None:
    fixed = 10 * volume(4)
    term = LnccConfig(window=5).bind(fixed)
    assert float(term(fixed)) == pytest.approx(-1, abs=1e-4)
    assert float(term(torch.zeros_like(fixed))) == 0


def test_a_window_without_a_centre_is_refused() -> None:
    with pytest.raises(ValidationError, match="odd"):
        LnccConfig(window=4)


@pytest.mark.golden
@pytest.mark.parametrize("case", ["blob16x20x24", "rand12x13x11", "batch2_9x9x9"])
def test_it_equals_the_published_code(golden: Golden, case: str) -> None:
    vectors = golden("losses_similarity")
    warped, fixed = vectors[f"{case}.a"].requires_grad_(), vectors[f"{case}.b"]
    loss = LnccConfig(window=9).bind(fixed)(warped)
    loss.backward()
    torch.testing.assert_close(loss, vectors[f"{case}.NCC_vxm_win9"], rtol=0, atol=1e-6)
    expected = vectors[f"{case}.NCC_vxm_win9.grad"]
    torch.testing.assert_close(
        warped.grad, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())
    )
    for window in (5, 3):
        exact = vectors[f"{case}.NCC_vxm_win{window}.f64"]
        double = LnccConfig(window=window).bind(fixed.double())(warped.detach().double())
        torch.testing.assert_close(double, exact, rtol=0, atol=1e-10)
