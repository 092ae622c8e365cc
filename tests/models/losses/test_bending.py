import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.losses.bending import Bending
from tests.models.conftest import Golden

bending = Bending()


def coordinates(shape: tuple[int, int, int] = (7, 6, 8)) -> tuple[Tensor, Tensor, Tensor]:
    x, y, z = torch.meshgrid(*[torch.arange(n).double() for n in shape], indexing="ij")
    return x, y, z


def field(*components: Tensor) -> Tensor:
    return torch.stack(components)[None]


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_a_quadratic_costs_its_second_derivatives(factors: list[float]) -> None:
    xx, yy, zz, xy, xz, yz = factors
    x, y, z = coordinates()
    u = (xx * x * x + yy * y * y + zz * z * z) / 2 + xy * x * y + xz * x * z + yz * y * z
    expected = (xx**2 + yy**2 + zz**2 + 2 * (xy**2 + xz**2 + yz**2)) / 3  # of three components
    for components in ((u, 0 * u, 0 * u), (0 * u, u, 0 * u), (0 * u, 0 * u, u)):
        assert float(bending(field(*components))) == pytest.approx(expected, abs=1e-9)


def test_an_affine_field_costs_nothing() -> None:
    x, y, z = coordinates()
    assert float(bending(field(2 * x - y, 5 + z, x + y + z))) == 0


@pytest.mark.parametrize("place", [(0, 3, 3), (3, 7, 3), (3, 3, 7), (4, 4, 4)])
def test_a_bump_counts_as_often_as_it_is_seen(place: tuple[int, int, int]) -> None:
    """In the middle of nine voxels all stencils that touch it fit, at a border few do."""
    bump = torch.zeros(1, 3, 9, 9, 9, dtype=torch.float64)
    bump[(0, 0, *place)] = 4
    # along an axis a bump is seen as 1, -2, 1; across two as 1, 1, 1, 1
    whole = 3 * (1 + 4 + 1) + 2 * 3 * 4
    cost = float(bending(bump)) * 3 * 5**3
    assert cost == pytest.approx(whole) if place == (4, 4, 4) else 0 < cost < whole


def test_no_voxel_has_curvature_on_a_grid_of_four() -> None:
    noise = torch.randn(1, 3, 9, 9, 4, requires_grad=True)
    loss = bending(noise)
    (gradient,) = torch.autograd.grad(loss, noise)
    assert float(loss.detach()) == 0
    assert not gradient.any()


def test_the_gradient_passes_gradcheck() -> None:
    noise = torch.randn(2, 3, 5, 6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(bending, noise)


@pytest.mark.golden
@pytest.mark.parametrize("case", ["smooth12x14x10", "rand_b2_8x9x7"])
def test_it_equals_the_published_code(golden: Golden, case: str) -> None:
    vectors = golden("losses_regularisers")
    flow = vectors[f"{case}.flow"].requires_grad_()
    loss = bending(flow)
    loss.backward()
    torch.testing.assert_close(loss, vectors[f"{case}.bending"], rtol=1e-6, atol=1e-8)
    expected = vectors[f"{case}.bending.grad"]
    torch.testing.assert_close(
        flow.grad, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max())
    )
    exact = bending(flow.detach().double())
    torch.testing.assert_close(exact, vectors[f"{case}.bending.f64"], rtol=0, atol=1e-10)
