import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from models.losses.dice import SoftDice, one_hot
from tests.models.conftest import Golden


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dice(fixed: Tensor, warped: Tensor) -> Tensor:
    return SoftDice().bind(fixed)(warped)


def transcribed(fixed: Tensor, warped: Tensor) -> Tensor:
    """The definition, for autograd to differentiate."""
    voxels = (2, 3, 4)
    squares = fixed.square().sum(voxels) + warped.square().sum(voxels)
    return 1 - (2 * (fixed * warped).sum(voxels) / (squares + 1e-5)).mean()


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))
def test_value_and_gradient_are_those_of_the_definition(
    batch: int, channels: int, seed: int
) -> None:
    fixed = random(batch, channels, 3, 2, 4, seed=seed)
    warped = random(batch, channels, 3, 2, 4, seed=seed + 1).requires_grad_()
    loss, expected = dice(fixed, warped), transcribed(fixed, warped)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(3 * loss, warped), torch.autograd.grad(3 * expected, warped)
    )


def test_the_gradient_by_hand_passes_gradcheck() -> None:
    term = SoftDice().bind(random(2, 3, 3, 2, 4))
    assert torch.autograd.gradcheck(term, random(2, 3, 3, 2, 4, seed=1).requires_grad_())


def cube(corner: int, size: int = 8) -> Tensor:
    structure = torch.zeros(1, 1, size, size, size)
    structure[..., corner : corner + 4, :4, :4] = 1
    return structure


@pytest.mark.parametrize(("corner", "loss"), [(0, 0.0), (1, 0.25), (2, 0.5), (4, 1.0)])
def test_it_is_one_minus_the_dice_coefficient_of_sharp_structures(corner: int, loss: float) -> None:
    assert float(dice(cube(0), cube(corner))) == pytest.approx(loss, abs=1e-6)


def test_every_structure_counts_the_same_however_large() -> None:
    small = torch.zeros(1, 1, 8, 8, 8)
    small[..., 7, 7, 7] = 1
    fixed = torch.cat([cube(0), small], dim=1)
    warped = torch.cat([cube(0), 0 * small], dim=1)
    assert float(dice(fixed, warped)) == pytest.approx(0.5, abs=1e-6)


def test_a_structure_that_is_nowhere_does_no_harm() -> None:
    nowhere = torch.zeros(1, 1, 8, 8, 8, requires_grad=True)
    loss = dice(torch.zeros(1, 1, 8, 8, 8), nowhere)
    (gradient,) = torch.autograd.grad(loss, nowhere)
    assert float(loss.detach()) == 1
    assert not gradient.any()


def labels(values: list[int], dtype: torch.dtype = torch.int64) -> Tensor:
    return torch.tensor(values, dtype=dtype).view(1, 1, 2, 1, -1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_of_both_become_channels_in_their_order(dtype: torch.dtype) -> None:
    fixed = labels([0, 17, 3, 3, 5, 0], dtype)
    moving = labels([3, 0, 9, 17, 17, 0], dtype)
    first, second = one_hot(fixed, moving)
    assert first.dtype == torch.float32
    assert first.shape == second.shape == (1, 2, 2, 1, 3)
    assert first.flatten(2).tolist() == [[[0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0]]]
    assert second.flatten(2).tolist() == [[[1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]]]


def test_another_precision_can_be_had() -> None:
    first, second = one_hot(labels([1, 0]), labels([1, 1]), torch.float64)
    assert first.dtype == second.dtype == torch.float64


def test_labels_of_64_bits_become_channels_too() -> None:
    large = 10**12
    fixed, moving = one_hot(labels([large, large + 1]), labels([large + 2, large]))
    assert fixed.flatten().tolist() == [1, 0]
    assert moving.flatten().tolist() == [0, 1]


def test_labels_that_no_two_images_share_are_refused() -> None:
    with pytest.raises(ValueError, match="no structure"):
        one_hot(labels([0, 1]), labels([2, 0]))


@pytest.mark.golden
def test_it_equals_the_published_code(golden: Golden) -> None:
    vectors = golden("losses_regularisers")
    fixed = functional.one_hot(vectors["dice.label"][:, 0], 36).movedim(-1, 1).float()
    warped = vectors["dice.pred"].requires_grad_()
    loss = dice(fixed, warped)
    loss.backward()
    torch.testing.assert_close(loss, vectors["dice.DiceLoss36"], rtol=0, atol=1e-6)
    assert warped.grad is not None
    norm = warped.grad.double().norm()
    torch.testing.assert_close(norm, vectors["dice.DiceLoss36.gradnorm"], rtol=1e-6, atol=0)
