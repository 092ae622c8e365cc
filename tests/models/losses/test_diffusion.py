import pytest
import torch

from models.losses.diffusion import Diffusion
from tests.models.conftest import Golden


def test_a_slope_of_two_along_one_axis_costs_four_thirds_of_a_third() -> None:
    field = torch.zeros(1, 3, 5, 5, 5)
    field[:, 0] = 2 * torch.arange(5.0).view(5, 1, 1)  # one of three components, one of three axes
    assert float(Diffusion()(field)) == pytest.approx(4 / 9)


def test_a_translation_costs_nothing() -> None:
    assert float(Diffusion()(torch.full((2, 3, 4, 5, 6), 7.0))) == 0


@pytest.mark.golden
@pytest.mark.parametrize("case", ["smooth12x14x10", "rand_b2_8x9x7"])
def test_it_equals_the_published_code(golden: Golden, case: str) -> None:
    vectors = golden("losses_regularisers")
    field = vectors[f"{case}.flow"].requires_grad_()
    loss = Diffusion()(field)
    loss.backward()
    for published in ("Grad3d_l2", "vxm_official_Grad_l2"):
        torch.testing.assert_close(loss, vectors[f"{case}.{published}"], rtol=0, atol=1e-6)
    torch.testing.assert_close(field.grad, vectors[f"{case}.Grad3d_l2.grad"], rtol=1e-3, atol=1e-7)
    exact = Diffusion()(field.detach().double())
    torch.testing.assert_close(exact, vectors[f"{case}.Grad3d_l2.f64"], rtol=0, atol=1e-10)
