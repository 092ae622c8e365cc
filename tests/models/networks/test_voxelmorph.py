"""Both VoxelMorphs, against outputs of the published code and by what they must do."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from models.networks.base import RegistrationModel
from models.networks.blocks import ConvBlock, JoinBlock
from models.networks.voxelmorph.lumir import UnetConfig, VoxelMorph1Config, VoxelMorph2Config
from models.networks.voxelmorph.package import VoxelMorphConfig, VoxelMorphOfficial
from models.spatial.warp import warp
from tests.models.conftest import Described, Golden
from tests.models.networks.published import state_of
from tests.models.networks.recipes import made_up_volume

FLOW_ATOL = 2e-4
"""In voxels."""

CHANNELS = {"encoder": (4, 6, 6, 8), "decoder": (8, 6, 6, 6), "extras": (6, 4)}
STRIDED, POOLED = VoxelMorph2Config(**CHANNELS), VoxelMorphConfig(**CHANNELS)

both_networks = pytest.mark.parametrize("config", [STRIDED, POOLED], ids=lambda it: it.name)


def loaded(config: UnetConfig, vectors: dict[str, Tensor]) -> RegistrationModel:
    model = config.build().eval()
    model.load_state_dict(state_of(vectors))
    return model


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=FLOW_ATOL, rtol=0)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "config"),
    [("voxelmorph1_small", VoxelMorph1Config()), ("voxelmorph2_small", VoxelMorph2Config())],
)
def test_the_field_is_the_published_one(golden: Golden, name: str, config: UnetConfig) -> None:
    vectors = golden(name)
    with torch.inference_mode():
        field = loaded(config, vectors)(vectors["in.y"], vectors["in.x"])
    assert_close(field, vectors["out.flow"])
    assert_close(warp(vectors["in.x"], field), vectors["out.warped"])


@pytest.mark.golden
def test_both_integrals_and_the_velocity_are_the_published_ones(
    golden: Golden, described: Described
) -> None:
    name = "voxelmorph_official_small"
    vectors, (encoder, decoder) = golden(name), described(name)["nb_unet_features"]
    config = VoxelMorphConfig(encoder=encoder, decoder=decoder[:4], extras=decoder[4:])
    model = loaded(config, vectors)
    fixed, moving = vectors["in.y"], vectors["in.x"]
    with torch.inference_mode():
        field, inverse = model.forward_and_inverse(fixed, moving)
        assert torch.equal(model(fixed, moving), field)
        assert_close(model.velocity(fixed, moving), vectors["out.preint_flow_half"])
    assert_close(field, vectors["out.pos_flow"])
    assert_close(warp(moving, field), vectors["out.warped_src"])
    assert_close(warp(fixed, inverse), vectors["out.warped_trg"])


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    x, y, z = shape or (32, 32, 48)
    return made_up_volume((x, y, z), 1), made_up_volume((x, y, z), 2)


def awake(config: UnetConfig, **changes: object) -> RegistrationModel:
    """With a head that moves something, of the order of a voxel."""
    torch.manual_seed(0)
    model = config.model_copy(update=changes).build()
    torch.nn.init.normal_(model.flow.weight, std=0.5)
    return model


def smooth_field(shape: tuple[int, int, int], size: float) -> Tensor:
    coarse = torch.randn((1, 3, 3, 3, 3), generator=torch.Generator().manual_seed(3))
    return size * functional.interpolate(coarse, shape, mode="trilinear", align_corners=True)


@both_networks
def test_any_multiple_of_16_will_do(config: UnetConfig) -> None:
    with torch.inference_mode():
        field = awake(config)(*pair(16, 48, 32))
    assert field.shape == (1, 3, 16, 48, 32)
    assert field.abs().max() > 0.1


@both_networks
def test_other_shapes_are_refused_with_the_nearest(config: UnetConfig) -> None:
    with pytest.raises(
        ValueError, match=r"of 16, got \(32, 40, 48\); the nearest is \(32, 48, 48\)"
    ):
        config.build()(*pair(32, 40, 48))


@pytest.mark.parametrize(
    "channels", [{"extras": ()}, {"encoder": (8, 8, 8)}, {"decoder": (0,) * 4}]
)
def test_channels_that_cannot_be_built_are_refused(channels: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(channels))):
        VoxelMorph1Config(**channels)


@both_networks
def test_the_moving_image_is_the_first_channel(config: UnetConfig) -> None:
    model, (fixed, moving), seen = config.build(), pair(), []
    model.unet_model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model(fixed, moving)
    assert torch.equal(seen[0], torch.cat([moving, fixed], dim=1))


def test_joining_is_convolving_what_is_doubled_and_stacked() -> None:
    torch.manual_seed(0)
    join, alone = JoinBlock(3, 2, 4), ConvBlock(5, 4)
    alone.load_state_dict(join.state_dict())
    coarse, skipped = torch.rand(2, 3, 2, 4, 3), torch.rand(2, 2, 4, 8, 6)
    doubled = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4)
    expected = alone(torch.cat([doubled, skipped], dim=1))
    torch.testing.assert_close(join(coarse, skipped), expected, atol=1e-5, rtol=1e-5)


def test_a_rectifier_keeps_a_fifth_of_what_is_negative() -> None:
    block = ConvBlock(1, 1)
    plain = block.main(torch.full((1, 1, 4, 4, 4), 3.0))
    found = block(torch.full((1, 1, 4, 4, 4), 3.0))
    torch.testing.assert_close(found, torch.where(plain < 0, 0.2 * plain, plain))
    assert plain.min() < 0 < plain.max()


def reading(field: Tensor, **options: int) -> VoxelMorphOfficial:
    """A network that reads the given field from any images."""
    model = VoxelMorphOfficial(POOLED.model_copy(update=options))
    model.read = lambda *_: field
    return model


def test_the_inverse_undoes_a_smooth_field() -> None:
    field, inverse = reading(smooth_field((32, 48, 32), 2.0)).forward_and_inverse(*pair(32, 48, 32))
    inside = (..., *[slice(8, -8)] * 3)
    there_and_back = inverse + warp(field, inverse)
    assert field[inside].abs().max() > 2
    assert there_and_back[inside].abs().max() < 0.05 * field[inside].abs().max()


@pytest.mark.parametrize("int_downsize", [1, 2, 4])
@pytest.mark.parametrize("int_steps", [0, 7])
def test_a_constant_velocity_is_a_translation_on_every_grid(
    int_downsize: int, int_steps: int
) -> None:
    velocity = torch.tensor([1.0, -2.0, 0.5]).view(1, 3, 1, 1, 1).expand(-1, -1, 64, 64, 64)
    model = reading(velocity, int_downsize=int_downsize, int_steps=int_steps)
    field, inverse = model.forward_and_inverse(*pair(64, 64, 64))
    inside = (..., *[slice(16, -16)] * 3)
    torch.testing.assert_close(field[inside], velocity[inside])
    torch.testing.assert_close(inverse[inside], -velocity[inside])


def test_velocities_live_on_the_coarser_grid_in_its_voxels() -> None:
    read = smooth_field((32, 48, 32), 2.0)
    velocity = reading(read).velocity(*pair(32, 48, 32))
    assert velocity.shape == (1, 3, 16, 24, 16)
    for corner in (0, -1):  # they stay where they are
        at = (..., corner, corner, corner)
        torch.testing.assert_close(velocity[at], read[at] / 2)


def test_without_squarings_the_displacement_is_what_is_read() -> None:
    model = awake(POOLED, int_steps=0)
    with torch.inference_mode():
        field, negative = model.forward_and_inverse(*pair())
        assert torch.equal(field, model.read(*pair()))
    assert torch.equal(negative, -field)
