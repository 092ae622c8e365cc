"""Affine registration of painted brains whose map is known."""

import numpy as np
import pytest
import torch

from l2r.transforms.grids import Grid
from models.affine.levels import pyramid
from models.affine.parameters import Freedom, rotation_degrees
from models.affine.registration import AffineRegistration, quality
from tests.models.affine.heads import PLAIN, error_mm, moved, oblique, painted

FIXED = painted(PLAIN), PLAIN.affine


def noisy(image: np.ndarray) -> np.ndarray:
    return image + np.random.default_rng(0).normal(0, 4, image.shape).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("freedom", "true", "most_mm"),
    [
        ("rigid", moved(28, 40), 0.3),  # a tenth of a voxel of 3 mm
        ("similarity", moved(-20, 30, (1.15, 1.15, 1.15)), 0.5),
        ("affine", moved(25, 35, (1.2, 0.85, 1.1)), 1.0),
    ],
)
def test_a_known_map_is_found_on_an_oblique_flipped_anisotropic_grid(
    freedom: Freedom, true: np.ndarray, most_mm: float
) -> None:
    grid = oblique(true)
    moving = noisy(painted(grid, true)), grid.affine

    found = AffineRegistration(freedom)(FIXED, moving)

    assert error_mm(found.matrix, true) < most_mm
    assert found.like
    assert not found.failed
    assert found.quality > found.quality_before


@pytest.mark.slow
def test_images_of_unlike_contrast_are_registered_by_mutual_information() -> None:
    true = moved(20, 25)
    grid = oblique(true)
    image = painted(grid, true)
    inverted = np.where(image > 5, 180 - image, 0).astype(np.float32)

    found = AffineRegistration("rigid")(FIXED, (inverted, grid.affine))

    assert not found.like
    assert error_mm(found.matrix, true) < 0.6  # a fifth of a voxel


@pytest.mark.slow
def test_exchanged_images_give_the_inverse_map() -> None:
    true = moved(15, 20, (1.1, 0.9, 1.0))
    grid = oblique(true)
    moving = painted(grid, true), grid.affine

    forward = AffineRegistration()(FIXED, moving).matrix
    backward = AffineRegistration()(moving, FIXED).matrix

    assert error_mm(backward @ forward, np.eye(4)) < 0.3  # either search ends within half of it


@pytest.mark.slow
def test_axes_that_a_header_mixes_up_are_set_right() -> None:
    wrong = np.eye(4)
    wrong[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]

    found = AffineRegistration("rigid")(FIXED, (FIXED[0], wrong @ PLAIN.affine))

    assert error_mm(found.matrix, wrong) < 0.3
    assert rotation_degrees(found.matrix) == pytest.approx(120, abs=0.5)


@pytest.mark.slow
def test_noise_is_refused() -> None:
    noise = np.random.default_rng(1).normal(100, 30, PLAIN.shape).astype(np.float32)

    assert AffineRegistration()(FIXED, (noise, PLAIN.affine)).failed


def test_the_quality_is_highest_where_the_images_lie_upon_each_other() -> None:
    one, other = (pyramid(*FIXED, (8.0, 4.0))[1] for _ in range(2))
    rest = torch.eye(4)[None]
    shifted = rest.clone()
    shifted[0, 0, 3] = 6.0

    best = quality(one, other, rest, rest)

    assert best > 0.9
    assert quality(one, other, shifted, shifted.inverse()) < best


def test_half_a_field_of_view_is_compared_where_it_reaches() -> None:
    half = Grid((68, 80, 30), PLAIN.affine)
    level = pyramid(painted(half), half.affine, (8.0, 4.0))[1]
    whole = pyramid(*FIXED, (8.0, 4.0))[1]
    rest = torch.eye(4)[None]

    assert not level.ends_in_air
    assert whole.ends_in_air
    assert quality(whole, level, rest, rest) > 0.9
