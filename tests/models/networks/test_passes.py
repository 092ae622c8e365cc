"""Several passes of a network as one field."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from models.networks.base import RegistrationModel
from models.networks.passes import MultiPass, PassSettings
from models.types import Fields, Volumes

SHAPE = (24, 28, 20)


class Shift(RegistrationModel):
    """Always says the same: one voxel of the grid that it is given, along the first axis."""

    def __init__(self, voxels: float = 1.0) -> None:
        super().__init__()
        self.voxels, self.seen = voxels, list[tuple[Volumes, Volumes]]()

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        self.seen.append((fixed, moving))
        field = fixed.new_zeros(1, 3, *fixed.shape[2:])
        field[:, 0] = self.voxels
        return field


class Bend(RegistrationModel):
    """A smooth field that follows the moving image: other images, other fields."""

    def forward(self, fixed: Volumes, moving: Volumes) -> Fields:
        parts = [moving.roll(1, axis) - 2 * fixed.roll(1, axis) for axis in (2, 3, 4)]
        return 0.5 * torch.cat(parts, dim=1)


@pytest.fixture
def images() -> tuple[Volumes, Volumes]:
    """Smooth noise that is zero at the border."""
    rng = np.random.default_rng(0)
    blobs = [np.pad(rng.normal(size=[s - 8 for s in SHAPE]), 4) for _ in range(2)]
    fixed, moving = (torch.from_numpy(gaussian_filter(b, 2)).float() for b in blobs)
    return fixed[None, None], moving[None, None]


def resampled(image: np.ndarray, field: np.ndarray) -> np.ndarray:
    places = np.indices(image.shape) + field
    return map_coordinates(image, places, order=1, mode="nearest")


def test_two_passes_are_the_composition_of_two_fields(images: tuple[Volumes, Volumes]) -> None:
    fixed, moving = images
    model = Bend()
    found, done = MultiPass(model, PassSettings((1, 1)))(fixed, moving)
    before = model(fixed, moving)[0].numpy()
    warped = torch.from_numpy(resampled(moving[0, 0].numpy(), before))[None, None]
    rest = model(fixed, warped)[0].numpy()
    expected = rest + np.stack([resampled(part, rest) for part in before])
    assert done == 2
    assert np.abs(rest).max() > 0.05
    inner = (..., *(slice(2, -2),) * 3)  # near the border the warp of images fades to zero
    np.testing.assert_allclose(found[0].numpy()[inner], expected[inner], atol=1e-5)


def test_each_pass_sees_its_own_resolution_and_fields_come_in_voxels_of_the_images(
    images: tuple[Volumes, Volumes],
) -> None:
    model = Shift()
    found, _ = MultiPass(model, PassSettings((4, 2, 1)))(*images)
    shapes = [tuple(fixed.shape[2:]) for fixed, _ in model.seen]
    assert shapes == [(6, 7, 5), (12, 14, 10), (24, 28, 20)]
    torch.testing.assert_close(found[:, 0], torch.full_like(found[:, 0], 4 + 2 + 1))
    assert not found[:, 1:].any()


def test_the_moving_image_is_warped_by_all_passes_before(images: tuple[Volumes, Volumes]) -> None:
    model = Shift()
    MultiPass(model, PassSettings((1, 1, 1)))(*images)
    moving = images[1]
    for number, (_, seen) in enumerate(model.seen):
        torch.testing.assert_close(seen[:, :, :-2], moving.roll(-number, 2)[:, :, :-2])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_mirrored_pair_has_the_mirrored_field(
    axis: int, images: tuple[Volumes, Volumes]
) -> None:
    predict = MultiPass(Bend(), PassSettings((2, 1), mirror=axis))
    field, _ = predict(*images)
    turned, _ = predict(*(image.flip(2 + axis) for image in images))
    expected = field.flip(2 + axis)
    expected[:, axis] *= -1
    # two sums in another order
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-5)
    assert field.abs().max() > 0.05


def test_a_network_that_knows_no_sides_gains_nothing_from_the_mirror(
    images: tuple[Volumes, Volumes],
) -> None:
    found, _ = MultiPass(Shift(), PassSettings((1,), mirror=0))(*images)
    assert not found.any()  # one voxel to the right, and one to the left


def test_passes_that_would_end_too_late_are_left_out(
    images: tuple[Volumes, Volumes], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("models.networks.passes.time.monotonic", lambda: float(next(clock)))
    model = Shift()
    # A pass at half the resolution takes one second of this clock, so one at full resolution 8.
    _, done = MultiPass(model, PassSettings((2, 2, 1)))(*images, deadline=9.0)
    assert done == 2
    _, all_of_them = MultiPass(model, PassSettings((2, 2, 1)))(*images, deadline=1e6)
    assert all_of_them == 3
