"""How velocities add up, and what the inverse misses."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.functional import interpolate

from models.networks.pyramid import Pyramid, PyramidConfig
from models.networks.transmorph.lumir import TransMorphLumirConfig
from models.networks.transmorph.tm_tvf import TmTvfConfig
from models.networks.transmorph.velocities import Integration, added, inverse_displacement
from models.spatial.parametrisation import compose
from tests.models.networks.small_networks import CONFIGS

SIDE = 48


def velocities(count: int, length: float = 2.0) -> list[Tensor]:
    """Smooth random velocities that lead so far together, zero near the border."""
    random = torch.Generator().manual_seed(5)
    inside = torch.zeros(1, 1, SIDE, SIDE, SIDE)
    inside[..., 6:-6, 6:-6, 6:-6] = 1
    window = nn.functional.avg_pool3d(inside, 11, 1, 5)
    found = []
    for _ in range(count):
        coarse = torch.randn((1, 3, 3, 3, 3), generator=random)
        found.append(window * interpolate(coarse, (SIDE,) * 3, mode="trilinear"))
    total = torch.stack(found).sum(dim=0).norm(dim=1)
    scale = length / float(total[0, 8:-8, 8:-8, 8:-8].mean())
    return [scale * velocity for velocity in found]


def missed(integration: Integration, count: int) -> float:
    """Mean distance by which a field and its inverse miss the start, in voxels."""
    steps = velocities(count)
    field = steps[0] if integration == "printed" else added(0 * steps[0], steps[0], integration)
    for step in steps[1:]:
        field = added(field, step, integration)
    both = compose(inverse_displacement(steps, integration), field)
    return float(both.norm(dim=1)[0, 8:-8, 8:-8, 8:-8].mean())


def test_the_printed_flow_is_inverted_better_than_the_published_sum() -> None:
    printed, published = missed("printed", 8), missed("published", 8)
    assert printed < 0.5 * published
    assert 0.1 < published < 1


def test_finer_steps_of_one_flow_invert_it_ever_better() -> None:
    """Euler's steps of one constant velocity: the miss falls like the length of a step."""

    def miss(count: int) -> float:
        whole = velocities(1)[0]
        steps = [whole / count] * count
        field = steps[0]
        for step in steps[1:]:
            field = added(field, step, "printed")
        both = compose(inverse_displacement(steps, "printed"), field)
        return float(both.norm(dim=1).mean())

    assert miss(16) < 0.35 * miss(4)  # a quarter, but for interpolation


def test_the_printed_field_samples_a_velocity_where_the_field_so_far_leads() -> None:
    field = torch.zeros(1, 3, 5, 5, 5)
    field[:, 0] = 1.0
    velocity = torch.zeros(1, 3, 5, 5, 5)
    velocity[:, 1, 3] = 2.0  # met by the places of index 2, which the field moves to 3
    found = added(field, velocity, "printed")
    expected = field.clone()
    expected[:, 1, 2] = 2.0
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("config", [TmTvfConfig, TransMorphLumirConfig])
def test_a_bias_that_is_not_there_is_not_corrected(config: type) -> None:
    with pytest.raises(ValidationError, match="has no bias"):
        config(integration="printed", correct_bias=True)


SMALL_LUMIR = next(c for c in CONFIGS if isinstance(c, TransMorphLumirConfig))


def moving_heads(model: nn.Module) -> None:
    """Give the heads weights with which the network moves images visibly, and smoothly."""
    for name, parameter in model.named_parameters():
        if "reg_head" in name or "flow" in name:
            nn.init.zeros_(parameter) if parameter.dim() > 1 else nn.init.constant_(parameter, 0.3)


def test_the_lumir_network_gives_field_and_inverse_of_either_integration() -> None:
    images = torch.rand((2, 1, 1, *SMALL_LUMIR.build().grid.nearest((32, 32, 32))))
    for integration in ("published", "printed"):
        model = SMALL_LUMIR.model_copy(update={"integration": integration}).build().eval()
        moving_heads(model)
        with torch.no_grad():
            field, inverse = model.forward_and_inverse(*images)  # type: ignore[operator]
            assert torch.equal(field, model(*images))
        middle = (slice(None), slice(None), *(slice(12, -12),) * 3)
        # A shift: nothing but the border is missed.
        torch.testing.assert_close(inverse[middle], -field[middle], atol=1e-4, rtol=0)
        assert float(field[middle].abs().min()) > 0.3


def test_the_pyramids_inverse_undoes_its_field() -> None:
    model = PyramidConfig(first=4, encoder=(6, 8), decoder=(8, 8)).build()
    assert isinstance(model, Pyramid)
    for level in model.decoder:
        nn.init.normal_(level.get_submodule("flow").weight, std=0.02)  # type: ignore[arg-type]
    random = torch.Generator().manual_seed(1)
    images = interpolate(torch.rand((2, 1, 6, 6, 6), generator=random), (32,) * 3, mode="trilinear")
    with torch.no_grad():
        field, inverse = model.forward_and_inverse(images[:1], images[1:])
        assert torch.equal(field, model(images[:1], images[1:]))
    inside = (..., *(slice(6, -6),) * 3)
    assert float(field[inside].norm(dim=1).mean()) > 0.3
    left = compose(inverse, field)[inside].norm(dim=1)
    assert float(left.mean()) < 0.1 * float(field[inside].norm(dim=1).mean())
