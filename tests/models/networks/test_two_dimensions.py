"""Networks for images of one slice convolve and attend in its plane."""

import pytest
import torch
from torch import Tensor, nn

from models.networks.base import InvertibleModel, NetworkConfig
from models.networks.blocks import FieldHead
from models.networks.transmorph.classic import TransMorphIxiConfig, TransMorphOasisConfig
from models.networks.transmorph.swin import SwinEncoder
from models.networks.transmorph.tm_tvf import TmTvfConfig, TmTvfLddmmConfig
from models.networks.voxelmorph.lumir import VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig
from models.spatial.parametrisation import compose
from tests.models.networks.small_networks import FOUR_LEVELS, SMALLER, awake, built

VOXELMORPHS = VoxelMorph1Config, VoxelMorph2Config, VoxelMorphConfig
KINDS = *VOXELMORPHS, TransMorphIxiConfig, TransMorphOasisConfig, TmTvfConfig, TmTvfLddmmConfig


def planar(kind: type[NetworkConfig], **settings: object) -> NetworkConfig:
    return kind.model_validate(SMALLER[kind].model_dump() | {"dimensions": 2} | settings)


def some_slices(batch: int = 1) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(3)
    fixed, moving = torch.rand((2, batch, 1, 64, 96, 1), generator=random)
    return fixed, moving


PLANAR = pytest.mark.parametrize(
    "config",
    [*map(planar, KINDS), planar(TmTvfConfig, integration="printed")],
    ids=lambda config: config.name,
)


@PLANAR
def test_there_is_a_displacement_in_the_plane_for_every_pixel(config: NetworkConfig) -> None:
    fixed, moving = some_slices(batch=2)
    field = awake(config)(fixed, moving)
    assert field.shape == (2, 3, 64, 96, 1)
    assert field.isfinite().all()
    assert field[:, :2].abs().amax((0, 2, 3, 4)).min() > 0.01
    assert not field[:, 2].any()


@PLANAR
def test_an_untrained_network_leaves_a_slice_where_it_is(config: NetworkConfig) -> None:
    with torch.inference_mode():
        assert built(config).eval()(*some_slices()).abs().max() < 0.01


@PLANAR
def test_every_weight_learns(config: NetworkConfig) -> None:
    model = awake(config)
    model(*some_slices()).square().sum().backward()
    dead = [
        name
        for name, weights in model.named_parameters()
        if not name.startswith(model.unused or ("none.",)) and weights.grad is None
    ]
    assert not dead


@PLANAR
def test_a_volume_is_refused(config: NetworkConfig) -> None:
    with pytest.raises(ValueError, match=r"for images of one slice, \(x, y, 1\), got \(64, 64, 64"):
        built(config)(*torch.zeros(2, 1, 1, 64, 64, 64))


@pytest.mark.parametrize("kind", VOXELMORPHS, ids=lambda kind: kind.__name__)
def test_it_is_the_network_of_a_volume_that_is_the_same_in_all_slices(kind: type) -> None:
    """If that one's kernels look at one slice at a time."""
    flat, thick = awake(planar(kind)), awake(SMALLER[kind])
    spread(flat, thick)
    fixed, moving = some_slices()
    expected = flat(fixed, moving)
    found = thick(*(image.expand(-1, -1, -1, -1, 32) for image in (fixed, moving)))
    torch.testing.assert_close(found[:, :2, ..., 5:6], expected[:, :2], atol=1e-5, rtol=1e-4)


def test_attention_is_that_of_a_volume_that_is_the_same_in_all_slices() -> None:
    """If that one's biases do not depend on the distance across the slices."""
    sizes = FOUR_LEVELS.model_copy(update={"window": (2, 4, 2)})
    torch.manual_seed(0)
    flat, thick = SwinEncoder(sizes, 2, recompute=False), SwinEncoder(sizes, recompute=False)
    for part in flat.modules():
        if isinstance(part, nn.LayerNorm):
            nn.init.normal_(part.weight)
    spread(flat, thick)
    pair = torch.rand(1, 2, 64, 96, 1)
    flat.eval(), thick.eval()
    with torch.inference_mode():
        found = thick(pair.expand(-1, -1, -1, -1, 64))
        for one, other in zip(found, flat(pair), strict=True):
            torch.testing.assert_close(one[..., :1], other, atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(one[..., -1:], other, atol=1e-4, rtol=1e-3)


def spread(flat: nn.Module, thick: nn.Module) -> None:
    """Give the weights of a network of slices to one of volumes."""
    state = thick.state_dict()
    with torch.no_grad():
        for name, weights in flat.named_parameters():
            target = state[name]
            if weights.shape == target.shape:
                target.copy_(weights)
            elif weights.ndim == 5:  # the middle tap; the first of tokens
                target.zero_()
                place = 1 if target.shape[-1] == 3 else 0
                target[: len(weights), ..., place] = weights[..., 0]
            elif name.endswith("bias_table"):
                target.copy_(weights.repeat_interleave(3, dim=0))
            elif "downsample.norm" in name:
                target.copy_(across(weights[None])[0])
            elif "downsample.reduction" in name:
                target.copy_(across(weights) * across(torch.ones_like(weights), only=1.0))
            else:  # the biases of a head of two components
                target.zero_()
                target[: len(weights)] = weights


def across(weights: Tensor, only: float = 0.0) -> Tensor:
    """Columns of four tokens for eight: those of odd slices like the even ones, or zero."""
    a, b, c, d = weights.chunk(4, dim=-1)
    other = [0 * part if only else part for part in (a, b, c, d)]
    return torch.cat([a, b, c, other[0], d, other[1], other[2], other[3]], dim=-1)


@pytest.mark.parametrize("kind", [VoxelMorphConfig, TmTvfConfig], ids=lambda kind: kind.__name__)
def test_forward_and_inverse_undo_each_other(kind: type) -> None:
    settings = {"integration": "printed"} if kind is TmTvfConfig else {}
    model = awake(planar(kind, **settings))
    assert isinstance(model, InvertibleModel)
    for part in model.modules():
        if isinstance(part, FieldHead):
            nn.init.constant_(part.weight, 0.0)
            nn.init.constant_(part.bias, 0.2)
    with torch.inference_mode():
        forward, inverse = model.forward_and_inverse(*some_slices())
    assert forward[:, :2].abs().min() > 0.1
    middle = compose(inverse, forward)[..., 16:-16, 16:-16, :]
    torch.testing.assert_close(middle, torch.zeros_like(middle), atol=1e-4, rtol=0)
