import pytest
import torch
from torch import Tensor

from models.spatial.deterministic import sample_repeatably
from models.spatial.warp import warp


def random(seed: int, size: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(1, 3, 5, 7, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("size", [0.3, 3.0], ids=["within", "far beyond the border"])
def test_values_and_both_gradients_are_those_of_the_warp(size: float) -> None:
    image, field = random(1, 1).requires_grad_(), random(2, size).requires_grad_()
    weights = random(3, 1)
    found, expected = sample_repeatably(image, field), warp(image, field, padding="border")
    torch.testing.assert_close(found, expected)
    for mine, theirs in zip(
        torch.autograd.grad((found * weights).sum(), (image, field)),
        torch.autograd.grad((expected * weights).sum(), (image, field)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.slow
def test_a_field_sampled_by_itself_gets_both_gradients() -> None:
    assert torch.autograd.gradcheck(
        lambda u: sample_repeatably(u, u), random(4, 0.3).requires_grad_()
    )


@pytest.mark.gpu
def test_on_a_gpu_two_gradients_are_bit_identical() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    field = torch.randn(1, 3, 40, 56, 48, device="cuda").requires_grad_()
    first, second = (
        torch.autograd.grad(sample_repeatably(field, field).square().sum(), field)[0]
        for _ in range(2)
    )
    assert torch.equal(first, second)
