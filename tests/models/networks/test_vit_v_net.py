"""The network against outputs of the published code, and by what it must do."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from models.networks.vision_transformer import Attention, Mlp, TransformerBlock
from models.networks.vit_v_net import VitDecoderBlock, VitVNet, VitVNetConfig, VitVNetSizes
from models.spatial.warp import warp
from tests.models.conftest import Described, Golden
from tests.models.networks.published import state_of
from tests.models.networks.recipes import made_up_volume, made_up_weights

FLOW_ATOL = 2e-5
"""In voxels, for flows of a voxel; the published vectors are single precision."""

SMALL = VitVNetSizes(
    encoder_channels=(2, 4, 4),
    hidden=12,
    layers=2,
    heads=2,
    mlp=16,
    widest=8,
    decoder_channels=(8, 4, 4, 4, 4),
)
SHAPE = (32, 32, 64)


def config_of(about: dict[str, Any]) -> VitVNetConfig:
    """Our names for the published configuration."""
    config = about["config"]
    sizes = VitVNetSizes(
        encoder_channels=config["encoder_channels"],
        hidden=config["hidden_size"],
        layers=config["transformer"]["num_layers"],
        heads=config["transformer"]["num_heads"],
        mlp=config["transformer"]["mlp_dim"],
        dropout=config["transformer"]["dropout_rate"],
        widest=config["conv_first_channel"],
        decoder_channels=config["decoder_channels"],
    )
    return VitVNetConfig(shape=about["img_size"], sizes=sizes)


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=FLOW_ATOL, rtol=0)


@pytest.mark.golden
def test_the_field_is_the_published_one(golden: Golden, described: Described) -> None:
    vectors = golden("vitvnet_small")
    model = config_of(described("vitvnet_small")).build().eval()
    model.load_state_dict(state_of(vectors))
    with torch.inference_mode():
        field = model(vectors["in.y"], vectors["in.x"])
    assert_close(field, vectors["out.flow"])
    assert_close(warp(vectors["in.x"], field), vectors["out.warped"])


@pytest.mark.golden
def test_the_field_of_a_cube_of_tokens_is_the_published_one(
    golden: Golden, described: Described
) -> None:
    vectors, about = golden("vitvnet_small64"), described("vitvnet_small64")
    model = config_of(about).build().eval()
    model.load_state_dict(made_up_weights(model.state_dict(), about["head_std"]))
    moving, fixed = (made_up_volume((64, 64, 64), seed) for seed in (13, 14))
    places = "transformer.embeddings.position_embeddings"
    assert_close(model.state_dict()[places], vectors[f"sd.{places}"])
    with torch.inference_mode():
        field = model(fixed, moving)
    assert_close(field[..., ::4, ::4, ::4], vectors["out.flow_sub4"])
    assert_close(field[..., 20:40, 20:40, 20:40], vectors["out.flow_crop"])


def awake(shape: tuple[int, int, int] = SHAPE, **options: bool) -> VitVNet:
    """A small network that moves something, and whose tokens know their place."""
    torch.manual_seed(0)
    model = VitVNetConfig(shape=shape, sizes=SMALL, **options).build()
    nn.init.normal_(model.reg_head[0].weight, std=3.0)
    nn.init.normal_(model.transformer.embeddings.position_embeddings)
    return model


def some_images(*shape: int, batch: int = 1) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(5)
    return tuple(torch.rand((batch, 1, *shape), generator=random) for _ in range(2))


def test_the_default_has_the_size_of_the_published_network() -> None:
    with torch.device("meta"):
        model = VitVNetConfig().build()
    assert sum(value.numel() for value in model.parameters()) == 31_560_079
    assert model.grid.exactly == (160, 192, 224)


@pytest.mark.parametrize("shape", [(32, 32, 32), (64, 32, 96)], ids=str)
def test_there_is_a_network_for_any_multiple_of_32(shape: tuple[int, int, int]) -> None:
    with torch.inference_mode():
        field = awake(shape).eval()(*some_images(*shape))
    assert field.shape == (1, 3, *shape)
    assert field.abs().max() > 0.1
    assert field.isfinite().all()


def test_other_shapes_than_its_own_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(32, 32, 64\), got \(64, 32, 64\)"):
        awake()(*some_images(64, 32, 64))


def test_a_shape_that_is_no_multiple_is_refused_with_the_nearest() -> None:
    said = r"multiples of 32, got \(160, 190, 224\); the nearest is \(160, 192, 224\)"
    with pytest.raises(ValidationError, match=said):
        VitVNetConfig(shape=(160, 190, 224))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"hidden": 252, "heads": 10}, "252 channels of a token among 10 heads"),
        ({"layers": 0}, "greater than 0"),
        ({"dropout": 1.0}, "less than 1"),
        ({"decoder_channels": (96, 48, 32, 32)}, "decoder_channels"),
        ({"patch_size": 4}, "Extra inputs"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(sizes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        VitVNetSizes(**sizes)


def test_the_moving_image_is_the_first_channel() -> None:
    model = awake().eval()
    fixed, moving = some_images(*SHAPE)
    seen = []
    model.transformer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model(fixed, moving)
    assert torch.equal(seen[0], torch.cat([moving, fixed], dim=1))


def test_attention_is_the_formula() -> None:
    torch.manual_seed(0)
    attention, tokens = Attention(6, 2), torch.rand(3, 5, 6)
    parts = (attention.query, attention.key, attention.value)
    mixed = []
    for head in (slice(0, 3), slice(3, 6)):
        q, k, v = (part(tokens)[..., head] for part in parts)
        mixed.append((q @ k.mT / 3**0.5).softmax(-1) @ v)
    torch.testing.assert_close(attention(tokens), attention.out(torch.cat(mixed, dim=-1)))


def test_a_block_is_the_formula() -> None:
    torch.manual_seed(0)
    block, tokens = TransformerBlock(6, 2, 10, 0.1).double().eval(), torch.rand(3, 5, 6).double()

    def norm(values: Tensor) -> Tensor:
        return (values - values.mean(-1, True)) / (
            values.var(-1, False, keepdim=True) + 1e-6
        ).sqrt()

    attended = tokens + block.attn(norm(tokens))
    between = block.ffn.fc1(norm(attended))
    between = between * (1 + torch.erf(between / 2**0.5)) / 2
    torch.testing.assert_close(block(tokens), attended + block.ffn.fc2(between))


def test_what_is_dropped_is_made_up_for_by_the_others() -> None:
    """Ones pass unchanged on average, and each of the two layers leaves some out."""
    torch.manual_seed(0)
    mlp = Mlp(1, 1, 0.5)
    for parameter in mlp.parameters():
        nn.init.ones_(parameter)
    kept = mlp(torch.zeros(1, 4000, 1)).detach()
    one = nn.functional.gelu(torch.ones(1)).item()
    assert sorted(kept.unique().tolist()) == pytest.approx([0, 2, 2 * (2 * one + 1)])
    assert kept.mean() == pytest.approx(one + 1, abs=0.1)
    assert mlp.eval()(torch.zeros(1, 1, 1)).item() == pytest.approx(one + 1)


def test_a_token_is_put_back_where_its_cube_was() -> None:
    """Without attention only the place of the token itself changes."""
    model = awake((64, 64, 96)).eval()
    model.transformer.encoder = nn.Identity()
    place = (1, 0, 2)
    x, y, z = (32 * index + 16 for index in place)
    pair = torch.zeros(1, 2, 64, 64, 96)
    changed = pair.clone()
    changed[..., x, y, z] = 1
    with torch.inference_mode():
        before, after = (model.transformer(seen)[0] for seen in (pair, changed))
    assert before.shape == (1, SMALL.hidden, 2, 2, 3)
    assert (before != after).any(dim=1)[0].nonzero().tolist() == [list(place)]


def test_every_token_hears_of_every_other() -> None:
    model = awake((64, 32, 64)).eval()
    pair = torch.zeros(1, 2, 64, 32, 64)
    changed = pair.clone()
    changed[..., 16, 16, 16] = 1
    with torch.inference_mode():
        before, after = (model.transformer(seen)[0] for seen in (pair, changed))
    assert (before != after).any(dim=1).all()


def test_skipped_features_are_stacked_below_the_doubled_ones() -> None:
    torch.manual_seed(0)
    block = VitDecoderBlock(3, 2, 4).eval()
    features, skipped = torch.rand(2, 3, 4, 4, 4), torch.rand(2, 2, 8, 8, 8)
    doubled = nn.functional.interpolate(features, size=(8, 8, 8), mode="trilinear")
    stacked = block.conv2(block.conv1(torch.cat([doubled, skipped], dim=1)))
    torch.testing.assert_close(block(features, skipped), stacked, atol=1e-5, rtol=1e-5)


def test_a_tenth_of_the_embeddings_is_dropped_in_training() -> None:
    embeddings, pair = awake().transformer.embeddings, torch.cat(some_images(*SHAPE), dim=1)
    with torch.no_grad():
        nn.init.ones_(embeddings.position_embeddings)
        dropped = torch.stack([embeddings(pair)[0] for _ in range(50)])
        whole = embeddings.eval()(pair)[0]
    assert (dropped == 0).float().mean() == pytest.approx(0.1, abs=0.03)
    torch.testing.assert_close(dropped, torch.where(dropped == 0, 0, whole / 0.9))
