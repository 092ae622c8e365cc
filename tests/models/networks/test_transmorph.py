import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from models.networks.transmorph import windows
from models.networks.transmorph.decoder import DecoderBlock, conv_block
from models.networks.transmorph.lumir import TransMorphLumir, TransMorphLumirConfig
from models.networks.transmorph.sizes import LumirSizes
from models.networks.transmorph.swin import PatchMerging, SwinBlock, WindowAttention
from models.networks.transmorph.velocities import VelocityStep, follow_velocities
from models.spatial.warp import correct_lumir_bias, upsample_field, warp_lumir

SMALL = LumirSizes(
    embed_dim=8, depths=(2, 1, 2), heads=(2, 2, 4), time_steps=2, head_channels=4, drop_path=0.0
)

sides = st.tuples(*[st.integers(1, 3)] * 3)


def awake(sizes: LumirSizes = SMALL, **options: bool) -> TransMorphLumir:
    """A small network whose velocities are of the order of a voxel."""
    torch.manual_seed(0)
    model = TransMorphLumirConfig(sizes=sizes, **options).build()
    for name, parameter in model.named_parameters():
        if name.startswith("reg_heads") and name.endswith("weight"):
            nn.init.normal_(parameter, std=0.1)
        if name.endswith("relative_position_bias_table"):
            nn.init.normal_(parameter)
    return model


def some_images(*shape: int, batch: int = 1) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(5)
    return tuple(torch.rand((batch, 1, *shape), generator=random) for _ in range(2))


def test_the_default_has_the_size_of_the_published_network() -> None:
    model = TransMorphLumirConfig().build()
    assert sum(parameter.numel() for parameter in model.parameters()) == 17_449_584
    assert len(model.state_dict()) == 271 - 2  # two grids of indices are not kept


def test_a_config_is_read_without_torch() -> None:
    code = "import sys, models.networks.transmorph.sizes; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"embed_dim": 9, "heads": (1, 1, 1)}, "embed_dim must be even"),
        ({"embed_dim": 8, "heads": (2, 3, 4)}, "16 channels of level 1 among 3 heads"),
        ({"depths": (2, 2, 2, 2)}, "depths"),
        ({"time_steps": 0}, "greater than 0"),
        ({"drop_path": 1.0}, "less than 1"),
        ({"patch_size": 2}, "Extra inputs"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(sizes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LumirSizes(**sizes)


@pytest.mark.parametrize("shape", [(32, 32, 32), (64, 32, 96)], ids=str)
def test_any_multiple_of_32_will_do(shape: tuple[int, int, int]) -> None:
    with torch.inference_mode():
        field = awake().eval()(*some_images(*shape))
    assert field.shape == (1, 3, *shape)
    assert field.abs().max() > 0.1
    assert field.isfinite().all()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiples of 32, got \(32, 48, 32\)"):
        awake()(*some_images(32, 48, 32))


def test_the_field_is_the_doubled_field_of_the_halved_images() -> None:
    model = awake().eval()
    fixed, moving = some_images(32, 32, 64)
    with torch.inference_mode():
        half = model.half_field(functional.avg_pool3d(fixed, 2), functional.avg_pool3d(moving, 2))
        assert torch.equal(model(fixed, moving), upsample_field(half))


def test_the_bias_is_corrected_only_on_request() -> None:
    images = some_images(32, 32, 64)
    with torch.inference_mode():
        plain, corrected = (awake(correct_bias=on).eval()(*images) for on in (False, True))
    assert torch.equal(corrected, correct_lumir_bias(plain))
    assert (corrected - plain).abs().max() == pytest.approx(0.5, abs=0.1)


def test_the_moving_image_is_the_first_channel() -> None:
    model = awake().eval()
    fixed, moving = some_images(16, 16, 16)
    seen = []
    model.transformer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model.half_field(fixed, moving)
    assert torch.equal(seen[0], torch.cat([moving, fixed], dim=1))


@given(sides, sides, st.integers(1, 2))
@settings(deadline=None)
def test_a_grid_survives_being_cut_into_windows(
    window: tuple[int, int, int], count: tuple[int, int, int], batch: int
) -> None:
    extent = [side * number for side, number in zip(window, count, strict=True)]
    grid = torch.rand(batch, *extent, 2)
    cut = windows.split(grid, window)
    x, y, z = window
    assert torch.equal(cut[0], grid[0, :x, :y, :z].reshape(-1, 2))
    assert torch.equal(cut[-1], grid[-1, -x:, -y:, -z:].reshape(-1, 2))
    assert torch.equal(windows.join(cut, grid.shape, window), grid)


@given(sides, sides, sides)
@settings(deadline=None)
def test_the_mask_parts_what_only_the_roll_brought_together(
    window: tuple[int, int, int], count: tuple[int, int, int], short: tuple[int, int, int]
) -> None:
    """Tokens belong together if the roll kept their distance."""
    sizes = list(zip(window, count, short, strict=True))
    extent = tuple(max(side * number - less + 1, 1) for side, number, less in sizes)
    padded = [size + -size % side for size, side in zip(extent, window, strict=True)]
    shift = windows.shift_of(window)
    here = torch.stack(torch.meshgrid(*map(torch.arange, padded), indexing="ij"), -1)
    before = (here + torch.tensor(shift)) % torch.tensor(padded)
    rolled, original = (windows.split(index[None].float(), window) for index in (here, before))
    kept = (rolled[:, :, None] - rolled[:, None]) == (original[:, :, None] - original[:, None])
    mask = windows.shift_mask(extent, window, torch.device("cpu"))
    assert torch.equal(mask, torch.where(kept.all(-1), 0.0, -100.0))


@pytest.mark.parametrize(
    ("window", "shift"), [((2, 3, 3), (1, 1, 1)), ((5, 6, 7), (2, 3, 3)), ((1, 4, 4), (0, 0, 0))]
)
def test_a_shift_is_half_a_window_or_none(
    window: tuple[int, int, int], shift: tuple[int, int, int]
) -> None:
    assert windows.shift_of(window) == shift


def test_pairs_of_tokens_share_a_bias_if_they_are_equally_far_apart() -> None:
    window = (2, 3, 4)
    index = windows.relative_index(window)
    places = list(product(*map(range, window)))
    rows = {}
    for (i, a), (j, b) in product(enumerate(places), repeat=2):
        apart = tuple(p - q for p, q in zip(a, b, strict=True))
        assert rows.setdefault(apart, int(index[i, j])) == index[i, j]
    in_order = sorted(rows)  # x slowest, z fastest, the most negative distance first
    assert [rows[apart] for apart in in_order] == list(range(3 * 5 * 7))


def test_attention_is_the_formula() -> None:
    torch.manual_seed(0)
    window, heads, channels = (2, 1, 2), 2, 6
    attention = WindowAttention(channels, heads, window)
    nn.init.normal_(attention.relative_position_bias_table)
    inputs, mask = torch.rand(6, 4, channels), torch.randn(3, 4, 4)
    q, k, v = attention.qkv(inputs).view(6, 4, 3, heads, 3).permute(2, 0, 3, 1, 4)
    bias = attention.relative_position_bias_table[windows.relative_index(window)].movedim(-1, 0)
    for given_mask, added in ((None, 0), (mask, torch.cat([mask, mask])[:, None])):
        weights = (q @ k.mT / 3**0.5 + bias + added).softmax(-1)
        expected = attention.proj((weights @ v).transpose(1, 2).reshape(6, 4, channels))
        torch.testing.assert_close(attention(inputs, given_mask), expected)


def test_eight_tokens_merge_in_the_published_order() -> None:
    merging = PatchMerging(1)
    merging.norm, merging.reduction = nn.Identity(), nn.Identity()
    cube = torch.tensor([[[0.0, 1], [10, 11]], [[100, 101], [110, 111]]])  # its parities as digits
    merged = merging(cube[None, ..., None])
    assert merged.flatten().tolist() == [0, 100, 10, 1, 110, 11, 101, 111]


def test_a_shifted_block_looks_across_the_borders_of_windows() -> None:
    """A token changes its neighbour beyond the border if and only if the block is shifted."""
    tokens = torch.rand(1, 4, 4, 4, 4)
    changed = tokens.clone()
    changed[0, 1, 1, 1, 0] += 1
    for shifted in (False, True):
        torch.manual_seed(0)
        block = SwinBlock(4, 1, (2, 2, 2), 0.0, shifted=shifted)
        mask = windows.shift_mask((4, 4, 4), (2, 2, 2), torch.device("cpu"))
        same = torch.isclose(block(tokens, mask), block(changed, mask), rtol=0, atol=1e-7).all(-1)
        assert bool(same[0, 2, 2, 2]) is not shifted
        assert bool(same[0, 0, 0, 0]) is shifted


def test_a_shifted_block_does_not_look_around_the_volume() -> None:
    """The roll puts opposite corners into one window, the mask parts them."""
    tokens = torch.rand(1, 4, 4, 4, 4)
    changed = tokens.clone()
    changed[0, 0, 0, 0, 0] += 1
    block = SwinBlock(4, 1, (2, 2, 2), 0.0, shifted=True)
    mask = windows.shift_mask((4, 4, 4), (2, 2, 2), torch.device("cpu"))
    same = torch.isclose(block(tokens, mask), block(changed, mask), rtol=0, atol=1e-7).all(-1)
    assert not same[0, 0, 0, 0]
    assert same.sum() == 4**3 - 1


def test_a_dropped_change_is_made_up_for_by_the_others() -> None:
    torch.manual_seed(0)
    block = SwinBlock(4, 1, (2, 2, 2), 0.75, shifted=False)
    change = torch.ones(400, 1, 1, 1, 2)
    kept = block._sometimes(change)
    assert set(kept.unique().tolist()) == {0.0, 4.0}
    assert torch.equal(kept[..., 0], kept[..., 1])
    assert kept.mean() == pytest.approx(1, abs=0.2)
    assert block.eval()._sometimes(change) is change


def test_later_blocks_are_dropped_more_often() -> None:
    model = TransMorphLumirConfig(sizes=SMALL.model_copy(update={"drop_path": 0.4})).build()
    blocks = [block for block in model.modules() if isinstance(block, SwinBlock)]
    rates = [block._drop_path for block in blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert [any(block._shift) for block in blocks] == [False, True, False, False, True]


def test_a_rectifier_keeps_a_hundredth_of_what_is_negative() -> None:
    *_, rectify = conv_block(1, 1, nn.Identity())
    assert rectify(torch.tensor([-1.0, 2.0])).tolist() == pytest.approx([-0.01, 2.0])


def test_skipped_features_are_stacked_below_the_others() -> None:
    torch.manual_seed(0)
    block = DecoderBlock(3, 2, 4)
    features, skipped = torch.rand(2, 3, 4, 4, 4), torch.rand(2, 2, 4, 4, 4)
    stacked = block.conv2(block.conv1(torch.cat([features, skipped], dim=1)))
    torch.testing.assert_close(block(features, skipped), stacked, atol=1e-5, rtol=1e-5)


def test_velocities_are_carried_by_themselves_and_added_up() -> None:
    """Three steps written out, each with a velocity that depends on what it sees."""
    fixed, moving = some_images(6, 6, 6)

    class Look(nn.Module):
        def forward(self, seen: Tensor) -> Tensor:
            return seen[:, :1] + 2 * seen[:, 1:]  # what is warped comes first

    class Decode(nn.Module):
        def forward(self, features: Tensor, seen: Tensor) -> Tensor:
            return features * seen

    features = torch.rand(1, 3, 6, 6, 6)
    step = VelocityStep(Look(), Decode(), nn.Identity())

    def velocity(warped: Tensor) -> Tensor:
        return features * (warped + 2 * fixed)

    expected = torch.zeros(1, 3, 6, 6, 6)
    warped = moving
    for _ in range(3):
        v = velocity(warped)
        expected = expected + warp_lumir(v, v)
        warped = warp_lumir(moving, expected)
    field, _ = follow_velocities([step] * 3, features, fixed, moving, recompute=False)
    torch.testing.assert_close(field, expected)


def trained_once(model: TransMorphLumir) -> dict[str, Tensor]:
    """Gradients and running statistics after one pass in training mode."""
    torch.manual_seed(1)
    model(*some_images(32, 32, 32)).square().mean().backward()
    gradients = {
        name: value.grad for name, value in model.named_parameters() if value.grad is not None
    }
    return gradients | dict(model.named_buffers())


def test_recomputed_activations_change_nothing_but_memory() -> None:
    sizes = SMALL.model_copy(update={"drop_path": 0.5})
    plain = trained_once(awake(sizes))
    recomputed = trained_once(awake(sizes, recompute=True))
    assert plain["cs.1.1.num_batches_tracked"] == 1
    torch.testing.assert_close(recomputed, plain)


def test_recomputing_keeps_less() -> None:
    def kept(**options: bool) -> int:
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        model = awake(**options)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(*some_images(32, 32, 32))
        return sum(sizes.values())

    assert kept(recompute=True) < kept() / 2


def test_a_network_without_gradients_recomputes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("models.networks.recompute.checkpoint", refuse)
    with torch.no_grad():
        awake(recompute=True)(*some_images(32, 32, 32))


def test_it_runs_in_double_precision_too() -> None:
    model, images = awake().eval(), some_images(32, 32, 32)
    with torch.inference_mode():
        single = model(*images)
        double = model.double()(*(image.double() for image in images))
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=0)


def test_it_runs_in_mixed_precision_too() -> None:
    model, images = awake().eval(), some_images(32, 32, 32)
    with torch.inference_mode():
        single = model(*images)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model(*images)
    assert (mixed.float() - single).abs().mean() < 0.05 * single.abs().mean()
