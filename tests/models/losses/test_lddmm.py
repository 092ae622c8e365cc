import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from models.losses.lddmm import Lddmm
from tests.models.conftest import Golden

SETTINGS = [(0.05, 0.001), (0.01, 0.001), (0.01, 0.01), (1.0, 0.5)]
CASES = ["smooth12x14x10", "rand_b2_8x9x7"]


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_a_translation_costs_gamma_alone() -> None:
    field = torch.full((1, 3, 5, 4, 6), 2.0, dtype=torch.float64)
    inside = 3 * 3 * 2 * 4
    assert float(Lddmm(alpha=7.0, gamma=0.5)(field)) == pytest.approx(inside)


def test_a_parabola_costs_alpha_alone() -> None:
    x = torch.arange(6.0, dtype=torch.float64)
    parabola = x.view(6, 1, 1) ** 2 + 2 * x[:5].view(5, 1) ** 2 + 3 * x[:4] ** 2
    field = torch.stack([parabola, 0 * parabola, 0 * parabola])[None]
    inside, laplacian = 4 * 3 * 2, 2 + 4 + 6
    loss = Lddmm(alpha=0.5, gamma=0.0)(field)
    assert float(loss) == pytest.approx(inside * (laplacian * 0.5) ** 4)


def test_the_two_terms_have_opposite_signs() -> None:
    """`cosh(k x)` is a multiple of its Laplacian, so with one alpha it costs nothing."""
    x = torch.arange(8.0, dtype=torch.float64)
    wave = torch.cosh(x / 2).view(8, 1, 1).expand(8, 5, 5)
    field = torch.stack([wave, wave, wave])[None]
    eigenvalue = 2 * (math.cosh(0.5) - 1)
    assert float(Lddmm(alpha=1 / eigenvalue, gamma=1.0)(field)) == pytest.approx(0, abs=1e-20)


def test_the_printed_norm_keeps_its_balance_on_every_grid_and_the_published_one_does_not() -> None:
    """Beside the mean squared difference of images, of which a larger grid changes nothing."""
    small, large = (torch.full((2, 3, n, n, n), 2.0, dtype=torch.float64) for n in (6, 10))
    printed = Lddmm(alpha=7.0, gamma=0.5, operator="printed")
    assert float(printed(small)) == pytest.approx(3 * (0.5**2 * 2) ** 2)
    assert float(printed(large)) == pytest.approx(float(printed(small)))
    published = Lddmm(alpha=7.0, gamma=0.5)
    assert float(published(large)) == pytest.approx(float(published(small)) * 8**3 / 4**3)


@pytest.mark.parametrize("operator", ["published", "printed"])
def test_a_batch_costs_the_mean_of_its_fields(operator: str) -> None:
    term = Lddmm(alpha=1.0, gamma=0.5, operator=operator)
    both = random(2, 3, 6, 7, 8)
    assert float(term(both)) == pytest.approx(float(term(both[:1]) + term(both[1:])) / 2)


def test_the_gradient_passes_gradcheck() -> None:
    field = random(2, 3, 3, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(Lddmm(alpha=1.0, gamma=0.5), field)


@pytest.mark.parametrize("wrong", [{"alpha": -1.0}, {"gamma": float("inf")}, {"beta": 2.0}])
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Lddmm.model_validate(wrong)


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("alpha", "gamma"), SETTINGS)
def test_it_equals_the_published_code(
    golden: Golden, case: str, alpha: float, gamma: float
) -> None:
    vectors, name = golden("losses_regularisers"), f"{case}.LDDMM_a{alpha}_g{gamma}"
    term, batch = Lddmm(alpha=alpha, gamma=gamma), len(vectors[f"{case}.flow"])
    field = vectors[f"{case}.flow"].requires_grad_()
    loss = batch * term(field)  # the published code adds up over the batch
    torch.testing.assert_close(loss, vectors[name], rtol=1e-6, atol=0)
    squares = vectors[f"{name}.L_squared"].double()
    in_double = batch * term(field.detach().double())
    torch.testing.assert_close(in_double, squares.square().sum(), rtol=1e-6, atol=0)


@pytest.mark.golden
@pytest.mark.parametrize("case", CASES)
def test_its_gradient_equals_that_of_the_published_code(golden: Golden, case: str) -> None:
    vectors = golden("losses_regularisers")
    field = vectors[f"{case}.flow"].requires_grad_()
    (len(field) * Lddmm(alpha=1.0, gamma=0.5)(field)).backward()
    expected = vectors[f"{case}.LDDMM_a1.0_g0.5.grad"]
    torch.testing.assert_close(
        field.grad, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max())
    )
