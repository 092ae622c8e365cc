from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn import functional

from models.spatial import warp as spatial
from models.spatial.warp import (
    correct_lumir_bias,
    resize_field,
    upsample_field,
    warp,
    warp_lumir,
)
from tests.models.conftest import Golden

Warp = Callable[[Tensor, Tensor], Tensor]

shapes = st.tuples(*[st.integers(2, 9)] * 3)
seeds = st.integers(0, 2**32 - 1)


def index_grid(shape: tuple[int, ...]) -> Tensor:
    """Index of every voxel, `(3, x, y, z)`."""
    return torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij")).double()


def places_within(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """A place in the image for every voxel, in voxels, nowhere outside the voxel centres."""
    last = torch.tensor(shape).view(3, 1, 1, 1) - 1
    return torch.rand((3, *shape), generator=random, dtype=torch.float64) * last


def by_scipy(image: Tensor, places: Tensor, order: int) -> np.ndarray:
    return map_coordinates(image[0, 0].numpy(), places.numpy(), order=order, mode="constant")


def some_pair(
    shape: tuple[int, ...], channels: int = 1, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(7)
    image = torch.rand((1, channels, *shape), generator=random, dtype=dtype)
    return image, 2 * torch.randn((1, 3, *shape), generator=random, dtype=dtype)


@given(shapes, seeds)
@settings(deadline=None)
def test_within_the_image_it_is_the_warp_of_the_scorer(
    shape: tuple[int, int, int], seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    image = torch.rand((1, 1, *shape), generator=random)
    places = places_within(shape, random)
    field = (places - index_grid(shape))[None].float()
    np.testing.assert_allclose(
        warp(image, field)[0, 0].numpy(), by_scipy(image, places, order=1), atol=1e-5
    )


@given(shapes, seeds)
@settings(deadline=None)
def test_nearest_is_the_scorers_choice_of_label_away_from_ties(
    shape: tuple[int, int, int], seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 99, (1, 1, *shape), generator=random).float()
    places = places_within(shape, random)
    clear = ((places % 1 - 0.5).abs() > 1e-4).all(0).numpy()
    field = (places - index_grid(shape))[None].float()
    chosen = warp(labels, field, mode="nearest")[0, 0].numpy()
    assert np.array_equal(chosen[clear], by_scipy(labels, places, order=0)[clear])


@pytest.mark.parametrize(("step", "seen"), [(0.0, 1.0), (-0.25, 0.75), (-1.0, 0.0), (-3.0, 0.0)])
def test_beyond_the_border_an_image_fades_over_one_voxel(step: float, seen: float) -> None:
    field = torch.zeros(1, 3, 4, 4, 4)
    field[:, 0] = step
    assert warp(torch.ones(1, 1, 4, 4, 4), field)[0, 0, 0] == pytest.approx(seen, abs=1e-6)


@given(shapes, seeds)
@settings(deadline=None)
def test_on_request_an_image_continues_beyond_its_border(
    shape: tuple[int, int, int], seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    image = torch.rand((1, 1, *shape), generator=random)
    field = 5 * torch.randn((1, 3, *shape), generator=random)
    places = (index_grid(shape) + field[0]).numpy()
    np.testing.assert_allclose(
        warp(image, field, padding="border")[0, 0].numpy(),
        map_coordinates(image[0, 0].numpy(), places, order=1, mode="nearest"),
        atol=1e-5,
    )


def test_a_component_moves_along_its_own_axis() -> None:
    image, _ = some_pair((5, 6, 7))
    for axis in range(3):
        field = torch.zeros(1, 3, 5, 6, 7)
        field[:, axis] = 1
        ahead = image.narrow(2 + axis, 1, image.shape[2 + axis] - 1)
        moved = warp(image, field).narrow(2 + axis, 0, image.shape[2 + axis] - 1)
        torch.testing.assert_close(moved, ahead, atol=1e-5, rtol=0)


@given(shapes, seeds)
@settings(deadline=None)
def test_the_lumir_warp_reads_where_its_formula_says(
    shape: tuple[int, int, int], seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    image = torch.rand((1, 1, *shape), generator=random)
    places = places_within(shape, random)
    size = torch.tensor(shape).view(3, 1, 1, 1)
    field = ((places + 0.5) * (size - 1) / size - index_grid(shape))[None].float()
    np.testing.assert_allclose(
        warp_lumir(image, field)[0, 0].numpy(), by_scipy(image, places, order=1), atol=1e-5
    )


def test_the_bias_of_no_motion_is_half_a_voxel_at_both_ends() -> None:
    meant = correct_lumir_bias(torch.zeros(1, 3, 5, 9, 161))
    torch.testing.assert_close(meant[0, 0, :, 0, 0], torch.linspace(-0.5, 0.5, 5))
    torch.testing.assert_close(meant[0, 1, 0, :, 0], torch.linspace(-0.5, 0.5, 9))
    torch.testing.assert_close(meant[0, 2, 0, 0, ::40], torch.tensor([-0.5, -0.25, 0, 0.25, 0.5]))


def test_a_corrected_field_says_to_the_scorers_warp_what_it_said_to_lumirs() -> None:
    image, field = some_pair((9, 12, 10), channels=2)
    torch.testing.assert_close(
        warp(image, correct_lumir_bias(field)), warp_lumir(image, field), atol=1e-5, rtol=0
    )
    assert not torch.allclose(warp(image, field), warp_lumir(image, field), atol=1e-2)


@pytest.mark.parametrize("resample", [warp, warp_lumir])
@pytest.mark.parametrize("shape", [(8, 6, 5), (7, 9, 5), (5, 7, 11)], ids=str)
def test_slabs_change_not_a_bit(
    resample: Warp, shape: tuple[int, int, int], threads: Callable[[int], None]
) -> None:
    image, field = some_pair(shape, channels=3)
    threads(1)
    whole = resample(image, field)
    for count in (2, 3, 4):
        threads(count)
        assert torch.equal(resample(image, field), whole)


def test_the_work_is_shared_out_without_copies_of_the_image(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, field = some_pair((8, 6, 5))
    images = []
    sample = functional.grid_sample

    def spy(image: Tensor, *others: object) -> Tensor:
        images.append(image)
        return sample(image, *others)

    monkeypatch.setattr(functional, "grid_sample", spy)
    threads(4)
    warp(image, field)
    assert len(images[0]) == 4
    assert images[0].untyped_storage().data_ptr() == image.untyped_storage().data_ptr()


def test_there_is_a_slab_per_thread_where_the_rows_share_out(
    threads: Callable[[int], None],
) -> None:
    image = torch.zeros(1, 1, 2, 2, 2)
    threads(4)
    assert spatial._slabs(image, 160 * 224) == 4
    assert spatial._slabs(image, 3 * 7) == 3
    assert spatial._slabs(image, 1) == 1


def test_an_image_that_needs_a_gradient_is_cut_less(threads: Callable[[int], None]) -> None:
    image = torch.zeros(1, 1, 2, 2, 2)
    threads(16)
    assert spatial._slabs(image, 160 * 224) == 16
    assert spatial._slabs(image.requires_grad_(), 160 * 224) == 8


@pytest.mark.parametrize("resample", [warp, warp_lumir])
@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_are_those_of_finite_differences(
    resample: Warp, batch: int, threads: Callable[[int], None]
) -> None:
    threads(2)
    random = torch.Generator().manual_seed(3)
    image = torch.rand((batch, 2, 4, 3, 3), generator=random, dtype=torch.float64)
    field = torch.rand((batch, 3, 4, 3, 3), generator=random, dtype=torch.float64) * 0.5 + 0.2
    leaves = image.requires_grad_(), field.requires_grad_()
    assert torch.autograd.gradcheck(resample, leaves, fast_mode=True)


def test_gradients_do_not_depend_on_the_slabs(threads: Callable[[int], None]) -> None:
    image, field = some_pair((6, 5, 4), channels=3, dtype=torch.float64)
    found = []
    for count in (1, 2, 3):
        threads(count)
        leaves = image.clone().requires_grad_(), field.clone().requires_grad_()
        warp(*leaves).square().sum().backward()
        found.append([leaf.grad for leaf in leaves])
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_a_batch_is_warped_sample_by_sample(threads: Callable[[int], None]) -> None:
    threads(2)
    image, field = some_pair((6, 5, 4))
    images, fields = torch.cat([image, image + 1]), torch.cat([field, -field])
    both = warp(images, fields)
    assert torch.equal(both[:1], warp(image, field))
    assert torch.equal(both[1:], warp(image + 1, -field))


def test_a_field_in_half_precision_still_points_at_voxels() -> None:
    image, _ = some_pair((200, 3, 3))
    field = torch.zeros(1, 3, 200, 3, 3, dtype=torch.float16)
    field[:, 0] = 1
    moved = warp(image, field)
    torch.testing.assert_close(moved[:, :, :-1], image[:, :, 1:], atol=1e-4, rtol=0)


def test_a_shift_keeps_its_share_of_the_image_when_resized() -> None:
    shift = torch.tensor([1.0, 2.0, -3.0]).view(1, 3, 1, 1, 1).expand(1, 3, 4, 6, 8)
    resized = resize_field(shift, (8, 6, 4))
    assert resized.shape == (1, 3, 8, 6, 4)
    assert resized[0, :, 3, 3, 3].tolist() == [2.0, 2.0, -1.5]
    assert torch.equal(resized, resized[:, :, :1, :1, :1].expand_as(resized))


def test_a_stretch_is_the_same_stretch_when_doubled() -> None:
    """`u = (p + 1/2) / 10`, so that the outer faces of the image are where the origin is."""
    field = ((index_grid((8, 8, 8)) + 0.5) / 10)[None]
    expected = ((index_grid((16, 16, 16)) + 0.5) / 10)[None]
    inner = slice(1, -1)
    torch.testing.assert_close(
        upsample_field(field)[..., inner, inner, inner], expected[..., inner, inner, inner]
    )


def test_upsampling_is_resizing_to_a_multiple() -> None:
    _, field = some_pair((3, 4, 5))
    before = field.clone()
    torch.testing.assert_close(upsample_field(field), resize_field(field, (6, 8, 10)))
    torch.testing.assert_close(upsample_field(field, 3), resize_field(field, (9, 12, 15)))
    assert torch.equal(resize_field(field, (3, 4, 5)), field)
    assert torch.equal(field, before)


def test_the_gradient_of_a_doubled_field_is_right() -> None:
    _, field = some_pair((2, 3, 2), dtype=torch.float64)
    assert torch.autograd.gradcheck(upsample_field, field.requires_grad_())


@pytest.mark.golden
@pytest.mark.parametrize("moved_by", ["flow", "flow_big", "zero"])
@pytest.mark.parametrize(("corners", "resample"), [("acT", warp), ("acF", warp_lumir)])
def test_both_warps_are_the_published_ones(
    golden: Golden, corners: str, resample: Callable[..., Tensor], moved_by: str
) -> None:
    vectors = golden("spatial_transformer")
    field = vectors.get(f"in.{moved_by}", torch.zeros_like(vectors["in.flow"]))
    for kind in ("img", "lab"):
        linear = resample(vectors[f"in.{kind}"], field)
        nearest = resample(vectors[f"in.{kind}"], field, mode="nearest")
        expected = vectors[f"{corners}.bilinear.{moved_by}.{kind}"]
        atol = 1e-5 * float(vectors[f"in.{kind}"].abs().max())
        torch.testing.assert_close(linear, expected, atol=atol, rtol=0)
        differing = nearest != vectors[f"{corners}.nearest.{moved_by}.{kind}"]
        assert not (differing & ~near_a_tie(field, corners)).any()


def near_a_tie(field: Tensor, corners: str) -> Tensor:
    """Where a place lies between two voxels as far as single precision can tell."""
    moved = (correct_lumir_bias(field) if corners == "acF" else field).double()
    places = index_grid(tuple(field.shape[2:])) + moved
    return ((places % 1 - 0.5).abs() < 1e-5).any(1, keepdim=True)


@pytest.mark.golden
def test_a_field_carried_by_itself_is_the_published_one(golden: Golden) -> None:
    vectors = golden("spatial_transformer")
    field = vectors["in.flow"]
    torch.testing.assert_close(warp(field, field), vectors["acT.self_warp"], atol=2e-5, rtol=0)
    carried = warp_lumir(field, field)
    torch.testing.assert_close(carried, vectors["acF.self_warp"], atol=2e-5, rtol=0)


@pytest.mark.golden
def test_a_doubled_field_is_the_published_one(golden: Golden) -> None:
    vectors = golden("spatial_transformer")
    doubled = upsample_field(vectors["in.flow"])
    torch.testing.assert_close(doubled, vectors["interp_x2_times2"], atol=1e-5, rtol=0)
