"""What uniGradICON must do, whatever its weights are."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import map_coordinates
from torch import Tensor, nn
from torch.nn import functional

from models.networks.gradicon.network import UniGradIcon, UniGradIconConfig
from models.networks.gradicon.preprocess import normalised
from models.networks.gradicon.to_voxels import displacement
from models.networks.gradicon.tree import Halved, two_steps
from models.networks.gradicon.unet import UNet, UNetSizes, _fitted
from models.spatial.coordinate_maps import CoordinateMap, GridPoints, composed, displaced, identity
from models.spatial.warp import sample, warp

SIZES = UNetSizes(down=(4, 8), up=(3, 6))
SHAPE = (9, 11, 10)
IMAGE = (8, 12, 14)

shapes = st.tuples(*[st.integers(1, 7)] * 3)


def small(**options: object) -> UniGradIcon:
    torch.manual_seed(0)
    return UniGradIconConfig(**({"shape": SHAPE, "sizes": SIZES} | options)).build()


def awake(**options: object) -> UniGradIcon:
    """A small network whose displacements are of the order of a voxel."""
    model = small(**options)
    for name, parameter in model.named_parameters():
        if "lastConv" in name:
            nn.init.normal_(parameter, std=0.3)
    return model


def some_images(*shape: int, batch: int = 1) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(5)
    fixed, moving = torch.rand((2, batch, 1, *(shape or IMAGE)), generator=random)
    return fixed, moving


def test_the_default_has_the_size_of_the_published_network() -> None:
    with torch.device("meta"):
        model = UniGradIconConfig().build()
    assert sum(parameter.numel() for parameter in model.parameters()) == 70_680_916
    assert len(model.state_dict()) == 188


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"shape": (175, 64, 65)},
            r"U-Net of 5 levels; the smallest that works is \(175, 65, 65\)",
        ),
        ({"shape": (8, 9, 9), "sizes": SIZES}, r"smallest that works is \(9, 9, 9\)"),
        ({"sizes": {"down": (16, 32)}}, "2 levels down but 5 levels up"),
        ({"sizes": {"down": (), "up": ()}}, "at least 1 item"),
        ({"intensities": "ct"}, "'quantile', 'kthvalue' or 'none'"),
        ({"conversion": "inexact"}, "'exact' or 'lumir'"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        UniGradIconConfig(**options)


def test_the_smallest_shape_works_and_a_smaller_one_would_not() -> None:
    model = awake(shape=(9, 9, 9)).eval()
    model.phi(*some_images(9, 9, 9))
    with pytest.raises(RuntimeError, match="smaller than kernel size"):
        model.phi(*some_images(9, 9, 8))


@pytest.mark.parametrize("conversion", ["exact", "lumir"])
@pytest.mark.parametrize("shape", [(5, 12, 14), SHAPE], ids=str)
def test_an_untrained_network_moves_nothing(conversion: str, shape: tuple[int, ...]) -> None:
    model = small(conversion=conversion).eval()
    with torch.inference_mode():
        field = model(*some_images(*shape))
    assert torch.equal(field, torch.zeros(1, 3, *shape))


def test_all_parameters_get_gradients() -> None:
    model = awake()
    torch.manual_seed(0)
    field = model(*some_images(batch=2))
    (field * torch.randn_like(field)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_inverse_is_the_forward_transform_of_exchanged_images() -> None:
    model = awake().eval()
    fixed, moving = some_images()
    with torch.inference_mode():
        forward, inverse = model.forward_and_inverse(fixed, moving)
        assert torch.equal(forward, model(fixed, moving))
        assert torch.equal(inverse, model(moving, fixed))
    assert (forward - inverse).abs().max() > 0.1


def test_the_network_sees_images_with_their_axes_reversed() -> None:
    image = some_images(*SHAPE)[0]
    prepared = small(intensities="none").prepared(image)
    assert torch.equal(prepared, image.permute(0, 1, 4, 3, 2))
    assert small().prepared(some_images()[0]).shape == (1, 1, *reversed(SHAPE))


def motion(places: Tensor) -> Tensor:
    """A gentle affine motion of places in parts of the extent, `(1, 3, ...)`, axes (x, y, z)."""
    matrix = torch.tensor([[1.02, 0.01, -0.02], [0.03, 0.97, 0.01], [-0.01, 0.02, 1.01]])
    offset = torch.tensor([0.01, -0.02, 0.015]).view(3, 1, 1, 1)
    return torch.einsum("ij,bjxyz->bixyz", matrix.double(), places - 0.5) + 0.5 + offset


def motion_seen(shape: tuple[int, ...]) -> CoordinateMap:
    """The same motion as a map on a network's grid of this shape, axes (z, y, x)."""
    sizes = torch.tensor(shape[::-1]).view(3, 1, 1, 1)

    def phi(points: GridPoints) -> GridPoints:
        places = (points.coordinates * (sizes - 1) + 0.5) / sizes
        return GridPoints((motion(places.flip(1)).flip(1) * sizes - 0.5) / (sizes - 1))

    return phi


@pytest.mark.parametrize("on_a_grid", [False, True])
@pytest.mark.parametrize("image", [(8, 15, 22), (23, 16, 12)], ids=str)
def test_an_affine_motion_is_the_same_on_the_grid_of_the_image(
    image: tuple[int, int, int], on_a_grid: bool
) -> None:
    """Voxels are areas on both grids: image voxel `o` covers `o / M` to `(o + 1) / M`."""
    network = (12, 16, 20)
    phi = motion_seen(network)
    if on_a_grid:
        rest = identity(torch.zeros(1, 1, *network[::-1]).double())
        phi = displaced(phi(rest).coordinates - rest.coordinates)
    field = displacement(phi, torch.zeros(1, 1, *image).double(), network, "exact")
    sizes = torch.tensor(image).view(3, 1, 1, 1)
    index = torch.stack(torch.meshgrid(*map(torch.arange, image), indexing="ij"))[None].double()
    expected = motion((index + 0.5) / sizes) * sizes - 0.5 - index
    inner = slice(1, -1)  # the centres of border voxels may lie beyond those of the other grid
    difference = (field - expected)[..., inner, inner, inner]
    assert difference.abs().max() < 1e-4
    assert expected.abs().max() > 0.3


def test_the_organisers_conversion_is_too_long_by_its_factor() -> None:
    image, network = torch.zeros(1, 1, *IMAGE), (9, 17, 33)
    shift = torch.tensor([0.1, 0.2, -0.1]).view(1, 3, 1, 1, 1).expand(-1, -1, 33, 17, 9)
    exact, lumir = (
        displacement(displaced(shift), image, network, way) for way in ("exact", "lumir")
    )
    assert exact[0, :, 3, 3, 3].tolist() == pytest.approx(
        [-0.1 * 8 * 8 / 9, 0.2 * 12 * 16 / 17, 0.1 * 14 * 32 / 33], rel=1e-5
    )
    for axis, size in enumerate(network):
        torch.testing.assert_close(lumir[:, axis], exact[:, axis] * size / (size - 1))


def test_the_organisers_conversion_follows_the_map_from_corner_to_corner() -> None:
    network = (9, 17, 33)
    rest = identity(torch.zeros(1, 1, *network[::-1]))
    stretch = displaced(0.1 * rest.coordinates)
    field = displacement(stretch, torch.zeros(1, 1, *IMAGE), network, "lumir")
    for axis, size in enumerate(IMAGE):
        line = field[0, axis].movedim(axis, 0)[:, 1, 1]
        torch.testing.assert_close(line, 0.1 * size * torch.linspace(0, 1, size))


class FollowTheMass(nn.Module):
    """A registration by the shift between two centres of mass, on the axes that it is given."""

    def forward(self, moving: Tensor, fixed: Tensor) -> CoordinateMap:
        rest = identity(moving).coordinates
        centres = [
            (image * rest).sum((2, 3, 4)) / image.sum((2, 3, 4)) for image in (moving, fixed)
        ]
        shift = (centres[0] - centres[1])[:, :, None, None, None]
        return displaced(shift.expand_as(rest))


def blob(shape: tuple[int, ...], centre: tuple[float, ...]) -> Tensor:
    lines = [torch.arange(size) - middle for size, middle in zip(shape, centre, strict=True)]
    x, y, z = torch.meshgrid(*lines, indexing="ij")
    return torch.exp(-(x**2 + y**2 + z**2) / 8)[None, None]


@pytest.mark.parametrize("shift", [(3, 0, 0), (0, -3, 0), (0, 0, 2), (2, -1, 3)], ids=str)
def test_a_shifted_blob_is_followed_along_its_axis(shift: tuple[int, int, int]) -> None:
    shape, centre = (24, 26, 28), (12.0, 13.0, 13.0)
    model = small(shape=(30, 24, 27), intensities="none").eval()
    model.netPsi = FollowTheMass()
    fixed = blob(shape, centre)
    moving = blob(shape, tuple(at + by for at, by in zip(centre, shift, strict=True)))
    with torch.inference_mode():
        field = model(fixed, moving)
    assert field[0].mean((1, 2, 3)).tolist() == pytest.approx(shift, abs=0.05)
    assert (warp(moving, field) - fixed).abs().max() < 0.05


def test_a_pair_in_a_batch_gets_the_field_that_it_gets_alone() -> None:
    model = awake().eval()
    fixed, moving = some_images(batch=2)
    with torch.inference_mode():
        together = model(fixed, 3 * moving)
        alone = [model(fixed[i : i + 1], moving[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=0)


def test_the_identity_runs_from_the_first_to_the_last_centre() -> None:
    places, at_rest = identity(torch.zeros(2, 1, 3, 4, 5))
    assert at_rest
    assert places.shape == (2, 3, 3, 4, 5)
    assert torch.equal(places[1, 0, :, 1, 1], torch.tensor([0, 0.5, 1]))
    assert torch.equal(places[1, 2, 1, 1], torch.tensor([0, 0.25, 0.5, 0.75, 1]))
    assert identity(torch.zeros(1, 1, 3, 4, 5), (2, 2, 2)).coordinates.shape == (1, 3, 2, 2, 2)


def test_at_rest_a_displacement_is_added_and_elsewhere_interpolated() -> None:
    """A displacement that is not a number at one voxel spreads to others only by interpolation."""
    rest = identity(torch.zeros(1, 1, 4, 4, 4))
    moved = torch.rand(1, 3, 4, 4, 4)
    assert torch.equal(displaced(moved)(rest).coordinates, rest.coordinates + moved)
    at_places = displaced(moved)(GridPoints(rest.coordinates)).coordinates
    torch.testing.assert_close(at_places, rest.coordinates + moved)
    moved[0, 0, 1, 1, 1] = torch.nan
    assert displaced(moved)(rest).coordinates.isnan().sum() == 1
    assert displaced(moved)(GridPoints(rest.coordinates)).coordinates.isnan().sum() > 1


def test_beyond_the_border_a_displacement_continues() -> None:
    moved = torch.rand(1, 3, 3, 3, 3)
    far = GridPoints(torch.full((1, 3, 1, 1, 1), 7.0))
    expected = 7 + moved[..., -1:, -1:, -1:]
    torch.testing.assert_close(displaced(moved)(far).coordinates, expected)


def test_the_inner_map_is_followed_first() -> None:
    def double(points: GridPoints) -> GridPoints:
        return GridPoints(2 * points.coordinates)

    def add_one(points: GridPoints) -> GridPoints:
        return GridPoints(points.coordinates + 1)

    points = GridPoints(torch.ones(1, 3, 1, 1, 1))
    assert composed(double, add_one)(points).coordinates.unique().tolist() == [4]
    assert composed(add_one, double)(points).coordinates.unique().tolist() == [3]


def test_the_second_step_sees_what_the_first_has_made_of_the_moving_image() -> None:
    fixed, moving = some_images(5, 6, 7)
    shift = torch.full((1, 3, 5, 6, 7), 0.2)
    seen: list[Tensor] = []

    class First(nn.Module):
        def forward(self, *_: Tensor) -> CoordinateMap:
            return displaced(shift)

    class Second(nn.Module):
        def forward(self, *images: Tensor) -> CoordinateMap:
            seen.extend(images)
            return displaced(-3 * shift)

    phi = two_steps(First(), Second(), moving, fixed)
    rest = identity(fixed)
    assert torch.equal(seen[0], sample(moving, rest.coordinates + shift, padding="border"))
    assert torch.equal(seen[1], fixed)
    torch.testing.assert_close(phi(rest).coordinates, rest.coordinates - 2 * shift)


def test_a_map_found_at_half_the_resolution_holds_at_any() -> None:
    model = Halved(FollowTheMass())
    seen: list[Tensor] = []
    model.net.register_forward_pre_hook(lambda _, images: seen.extend(images))
    phi = model(*some_images(5, 6, 7))
    assert seen[0].shape == (1, 1, 3, 3, 4)
    for shape in ((3, 3, 4), (5, 6, 7), (9, 2, 4)):
        rest = identity(seen[0], shape)
        moved = phi(rest).coordinates - rest.coordinates
        torch.testing.assert_close(moved, moved[..., :1, :1, :1].expand_as(moved))


@given(shapes, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_an_image_is_sampled_where_the_coordinates_say(
    shape: tuple[int, int, int], seed: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    image = torch.rand((1, 2, *shape), generator=random, dtype=torch.float64)
    places = 2 * torch.rand((1, 3, 3, 5, 4), generator=random, dtype=torch.float64) - 0.5
    index = places[0] * (torch.tensor(shape).view(3, 1, 1, 1) - 1)
    found = sample(image, places, padding="border")
    for channel in range(2):
        expected = map_coordinates(image[0, channel], index.numpy(), order=1, mode="nearest")
        np.testing.assert_allclose(found[0, channel].numpy(), expected, atol=1e-9)


def test_rows_that_do_not_share_out_among_the_cores_do_so_all_the_same(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    slabs = []
    original = functional.grid_sample

    def spy(image: Tensor, *others: object) -> Tensor:
        slabs.append(len(image))
        return original(image, *others)

    monkeypatch.setattr(functional, "grid_sample", spy)
    image = torch.rand(1, 3, 4, 5, 6).requires_grad_()
    places = torch.rand(1, 3, 5, 7, 3).requires_grad_()
    weights = torch.rand(1, 3, 5, 7, 3)
    found = []
    for count in (1, 2, 4):
        threads(count)
        sampled = sample(image, places, padding="border")
        gradients = torch.autograd.grad((sampled * weights).sum(), (image, places))
        found.append((sampled, *gradients))
    assert slabs == [1, 2, 4]
    assert torch.equal(found[1][0], found[0][0])
    assert torch.equal(found[2][0], found[0][0])
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


@pytest.mark.parametrize("shape", [(5, 6, 7), (8, 5, 12)], ids=str)
def test_odd_axes_come_back_as_long_as_they_were(shape: tuple[int, int, int]) -> None:
    net = UNet(SIZES)
    assert net(*some_images(*shape)).shape == (1, 3, *shape)


def test_missing_channels_are_zeros_before_the_others() -> None:
    features = torch.rand(1, 2, 3, 3, 3)
    assert torch.equal(_fitted(features, 1), features[:, :1])
    assert torch.equal(_fitted(features, 2), features)
    more = _fitted(features, 5)
    assert torch.equal(more[:, 3:], features)
    assert not more[:, :3].any()


def test_the_displacement_is_a_tenth_of_the_last_convolution_of_all() -> None:
    net = UNet(SIZES)
    nn.init.normal_(net.lastConv.weight)
    nn.init.normal_(net.lastConv.bias)
    features, pair = torch.rand(2, 3, 4, 5, 6), torch.rand(2, 2, 4, 5, 6)
    expected = net.lastConv(torch.cat([features, pair], dim=1))
    torch.testing.assert_close(net.lastConv(features, pair), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(net.lastConv(features, pair), expected)
    net.lastConv.forward = lambda *_: expected
    torch.testing.assert_close(net(pair[:, :1], pair[:, 1:]), expected / 10)


@given(st.integers(2, 400), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_the_brightest_hundredth_is_clipped(voxels: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    image = 1000 * torch.randn((1, 1, 1, 1, voxels), generator=random)
    least, most = image.min(), image.flatten().quantile(0.99)
    expected = (image.clamp(max=most) - least) / (most - least)
    torch.testing.assert_close(normalised(image, "quantile"), expected, atol=1e-5, rtol=0)


def test_the_command_takes_the_value_of_a_rank() -> None:
    image = torch.arange(200.0).flip(0).view(1, 1, 10, 10, 2) + 7
    seen = normalised(image, "kthvalue")
    torch.testing.assert_close(seen, (image - 7).clamp(max=197) / 197)


@pytest.mark.slow
def test_an_image_may_have_more_voxels_than_torch_can_sort_out() -> None:
    image = torch.arange(2**24 + 2.0).view(1, 1, 2, -1, 1)
    with pytest.raises(RuntimeError, match="too large"):
        image.flatten().quantile(0.99)
    torch.testing.assert_close(normalised(image, "quantile").amax(), torch.tensor(1.0))
    clipped = (normalised(image, "quantile") == 1).sum()
    assert clipped.item() == pytest.approx(0.01 * 2**24, abs=3)


@pytest.mark.parametrize("intensities", ["quantile", "kthvalue"])
def test_each_image_of_a_batch_is_normalised_by_itself(intensities: str) -> None:
    image, _ = some_images(batch=1)
    both = normalised(torch.cat([image, 5 * image - 2]), intensities)
    torch.testing.assert_close(both[0], both[1])
    assert (both.min(), both.max()) == (0, 1)


def test_intensities_stay_on_request_and_an_empty_image_stays_empty() -> None:
    image, _ = some_images()
    assert normalised(image, "none") is image
    assert not normalised(torch.full((1, 1, 3, 3, 3), 4.0), "quantile").any()
