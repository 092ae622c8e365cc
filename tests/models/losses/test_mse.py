import torch

from models.losses.mse import Mse


def test_a_step_of_three_in_half_of_the_voxels_costs_half_of_nine() -> None:
    fixed, warped = torch.full((2, 1, 3, 4, 5), 7.0), torch.full((2, 1, 3, 4, 5), 7.0)
    warped[:, :, :, :2] += 3
    assert float(Mse().bind(fixed)(warped)) == 4.5


def test_the_gradient_passes_gradcheck() -> None:
    fixed, warped = torch.rand(2, 2, 1, 3, 4, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(Mse().bind(fixed), warped.requires_grad_())


def test_a_large_offset_does_not_cost_single_precision_its_digits() -> None:
    fixed = torch.full((1, 1, 8, 8, 8), 4096.0)
    assert float(Mse().bind(fixed)(fixed + 0.5)) == 0.25
