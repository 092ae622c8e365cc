"""Matching from coarse to fine."""

import pytest
import torch
from pydantic import ValidationError
from torch.autograd import gradcheck
from torch.nn.functional import cosine_similarity

from models.networks.correlation import OFFSETS, correlation
from models.networks.pyramid import Pyramid, PyramidConfig, PyramidLevel
from models.spatial.parametrisation import Velocity
from models.spatial.warp import warp

SMALL = PyramidConfig(first=4, encoder=(6, 8), decoder=(8, 8))


def test_correlation_is_the_cosine_with_each_neighbour() -> None:
    fixed, moving = torch.randn(2, 1, 5, 4, 5, 6)
    found = correlation(fixed, moving)
    here = (slice(None), slice(None), 2, 2, 3)
    for number, (x, y, z) in enumerate(OFFSETS):
        there = moving[:, :, 1 + x, 1 + y, 2 + z]
        expected = cosine_similarity(fixed[here], there)
        torch.testing.assert_close(found[:, number, 2, 2, 3], expected)


def test_correlation_is_highest_where_the_image_was_moved_from() -> None:
    fixed = torch.randn(1, 8, 6, 6, 6)
    for number, offset in enumerate(OFFSETS):
        moving = fixed.roll([step - 1 for step in offset], (2, 3, 4))
        inside = correlation(fixed, moving)[:, :, 1:-1, 1:-1, 1:-1]
        assert (inside.argmax(dim=1) == number).all()


def test_beyond_the_border_nothing_is_alike() -> None:
    found = correlation(torch.ones(1, 2, 3, 3, 3), torch.ones(1, 2, 3, 3, 3))
    outside = [number for number, offset in enumerate(OFFSETS) if offset[0] == 0]
    assert found[:, outside, 0].abs().max() == 0
    assert found[:, outside, 1:, 1, 1].min() > 0.99


@pytest.mark.slow
def test_the_gradient_of_the_correlation_written_by_hand() -> None:
    images = torch.randn(2, 1, 2, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda both: correlation(both[0], both[1]), (images,))


def test_each_level_moves_what_the_coarser_ones_left() -> None:
    """Heads that always give the same velocities move by the sum, in voxels of the image."""
    model = SMALL.build()
    assert isinstance(model, Pyramid)
    finest, coarsest = (level for level in model.decoder if isinstance(level, PyramidLevel))
    for level, motion in ((finest, (1.0, 0.0, 0.5)), (coarsest, (0.0, -0.5, 0.25))):
        torch.nn.init.zeros_(level.flow.weight)
        assert level.flow.bias is not None
        level.flow.bias.data = torch.tensor(motion)
    field = model(torch.rand(1, 1, 16, 16, 24), torch.rand(1, 1, 16, 16, 24))
    expected = torch.tensor([2.0, -2.0, 2.0]).view(1, 3, 1, 1, 1).expand_as(field)
    torch.testing.assert_close(field, expected)


@pytest.mark.slow
def test_it_learns_a_motion_by_heart() -> None:
    torch.manual_seed(0)
    moving = torch.rand(1, 1, 4, 4, 4)
    moving = torch.nn.functional.interpolate(moving, (16, 16, 16), mode="trilinear")
    velocity = torch.nn.functional.interpolate(torch.randn(1, 3, 2, 2, 2), (16, 16, 16))
    fixed = warp(moving, Velocity().forward(velocity), padding="border")
    model = SMALL.build()
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (warp(moving, model(fixed, moving), padding="border") - fixed).square().mean()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_encoder_and_decoder_have_the_same_levels() -> None:
    with pytest.raises(ValidationError, match="3 levels of the encoder, but 2 of the decoder"):
        PyramidConfig(encoder=(4, 4, 4), decoder=(4, 4))


def test_the_grid_follows_from_the_number_of_levels() -> None:
    assert SMALL.build().grid.multiple == 4
    assert PyramidConfig().build().grid.multiple == 16
