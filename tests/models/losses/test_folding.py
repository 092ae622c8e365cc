import numpy as np
import pytest
import torch
from torch import Tensor

from eval.metrics.ndv import non_diffeomorphic_volume
from models.losses.folding import TETRAHEDRA, Folding, dense_penalty, sparse_penalty


def squeezed(factor: float, shape: tuple[int, int, int] = (7, 6, 8)) -> Tensor:
    """Along the first axis, to `factor` of the length."""
    field = torch.zeros(1, 3, *shape, dtype=torch.float64)
    index = torch.arange(shape[0], dtype=torch.float64)
    field[:, 0] = ((factor - 1) * index).view(-1, 1, 1)
    return field


def noisy(size: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(1, 3, 6, 7, 5, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.2, 3.0])
def test_what_keeps_enough_volume_costs_nothing(factor: float) -> None:
    assert Folding(margin=0.199)(squeezed(factor)) == 0


@pytest.mark.parametrize("factor", [0.1, 0.0, -1.0])
def test_what_lacks_volume_costs_the_square_of_what_it_lacks(factor: float) -> None:
    cost = Folding(margin=0.2)(squeezed(factor))
    assert float(cost) == pytest.approx((0.2 - factor) ** 2)


def test_a_translation_costs_nothing() -> None:
    assert Folding(margin=0.99)(torch.full((1, 3, 5, 5, 5), 7.0)) == 0


def test_what_it_sees_as_folded_is_what_the_judge_counts() -> None:
    """Without a margin, the folded volume would be the sum of what is lacking."""
    field = noisy(0.6)
    lacking = 0.0
    for tetrahedron in TETRAHEDRA:
        volumes = determinants(field[0].numpy(), tetrahedron.offsets) * np.sign(tetrahedron.at_rest)
        lacking += np.maximum(-volumes, 0).sum() / 12
    vectors = np.moveaxis(field[0].numpy(), 0, -1)
    assert lacking == pytest.approx(
        non_diffeomorphic_volume(vectors, np.ones(vectors.shape[:3], bool))
    )


def determinants(field: np.ndarray, offsets: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    places = field + np.indices(field.shape[1:])
    x, y, z = field.shape[1:]
    here = places[:, 1:-1, 1:-1, 1:-1]
    arrows = [
        places[:, 1 + a : x - 1 + a, 1 + b : y - 1 + b, 1 + c : z - 1 + c] - here
        for a, b, c in offsets
    ]
    return np.linalg.det(np.moveaxis(np.stack(arrows), (0, 1), (-2, -1)))


def test_it_costs_the_mean_over_tetrahedra_and_inner_voxels() -> None:
    field = noisy(0.6, seed=1)
    expected = [
        np.maximum(0.3 - determinants(field[0].numpy(), t.offsets) / t.at_rest, 0) ** 2
        for t in TETRAHEDRA
    ]
    assert float(Folding(margin=0.3)(field)) == pytest.approx(np.mean(expected))


def test_descending_it_takes_the_folds_out() -> None:
    field = noisy(0.5, seed=2).requires_grad_()
    optimiser = torch.optim.Adam([field], lr=0.02)
    inside = np.ones(field.shape[2:], bool)

    def folded() -> float:
        return non_diffeomorphic_volume(np.moveaxis(field.detach()[0].numpy(), 0, -1), inside)

    before = folded()
    for _ in range(120):
        optimiser.zero_grad()
        Folding()(field).backward()
        optimiser.step()
    assert before > 1
    assert folded() < 1e-2 * before


@pytest.mark.slow
def test_gradients_are_those_of_finite_differences() -> None:
    assert torch.autograd.gradcheck(Folding(), noisy(0.6, seed=3)[..., :4, :4, :3].requires_grad_())


@pytest.mark.parametrize("shape", [(2, 5, 5), (1, 1, 1)])
def test_a_grid_without_inner_voxels_cannot_fold(shape: tuple[int, int, int]) -> None:
    assert Folding()(torch.randn(1, 3, *shape)) == 0


@pytest.mark.parametrize("margin", [0.05, 0.3, 0.9])
def test_all_tetrahedra_give_the_sum_and_the_gradient_of_those_that_lack_volume(
    margin: float,
) -> None:
    field = noisy(0.5, seed=4)[0].requires_grad_()
    sparse, dense = sparse_penalty(field, margin), dense_penalty(field, margin)
    assert sparse > 0
    torch.testing.assert_close(dense, sparse)
    expected, found = (torch.autograd.grad(3 * value, field)[0] for value in (sparse, dense))
    torch.testing.assert_close(found, expected)


def test_the_gradient_by_hand_is_that_of_finite_differences() -> None:
    field = noisy(0.6, seed=5)[0, :, :4, :4, :3].requires_grad_()
    assert torch.autograd.gradcheck(lambda u: dense_penalty(u, 0.4), field)


@pytest.mark.parametrize("shape", [(2, 5, 5), (1, 1, 1)])
def test_without_inner_voxels_all_tetrahedra_are_none(shape: tuple[int, int, int]) -> None:
    assert dense_penalty(torch.randn(3, *shape), 0.5) == 0


@pytest.mark.gpu
def test_a_gpu_gives_the_penalty_of_a_cpu_and_the_same_bits_again() -> None:
    field = noisy(0.5, seed=6).requires_grad_()
    found = [_with_gradient(field.detach().cuda().requires_grad_()) for _ in range(2)]
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    torch.testing.assert_close([value.cpu() for value in found[0]], _with_gradient(field))


def _with_gradient(field: Tensor) -> list[Tensor]:
    penalty = Folding(margin=0.3)(field)
    return [penalty.detach(), *torch.autograd.grad(penalty, field)]
