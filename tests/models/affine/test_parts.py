"""Parameters, levels, starts and similarities of affine registration."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float

from models.affine.levels import normalised, pyramid
from models.affine.parameters import Starts, rotation_degrees
from models.affine.similarity import (
    SimilarityMeasure,
    information,
    local_correlation,
    tissue_correlation,
)
from models.affine.starts import all_starts, rotations
from tests.models.affine.heads import PLAIN, moved, painted


def starts(count: int = 2) -> Starts:
    turns = torch.from_numpy(np.stack([moved(20 * (i + 1), 0)[:3, :3] for i in range(count)]))
    return Starts(torch.tensor([1.0, 2.0, 3.0]), torch.ones(count, 3) * 7, turns.float())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-15, 15), min_size=12, max_size=12))
def test_the_inverse_map_undoes_the_map(numbers: list[float]) -> None:
    parameters = torch.tensor([numbers, numbers[::-1]])
    forward, backward = starts().matrices(parameters)
    # Single precision; 15 mm on all twelve parameters stretch places by a factor of up to 3.
    assert torch.allclose(forward @ backward, torch.eye(4).expand(2, 4, 4), atol=2e-3)


def test_six_parameters_turn_and_shift_and_the_seventh_scales() -> None:
    parameters = torch.zeros(2, 12)
    parameters[:, :6] = torch.tensor([5.0, -3.0, 2.0, 10.0, -20.0, 6.0])
    parameters[1, 6] = 6.0
    linear = starts().matrices(parameters)[0][:, :3, :3]
    own = linear.transpose(1, 2) @ linear
    assert torch.allclose(own[0], torch.eye(3), atol=1e-5)
    # 6 mm at 60 mm: a tenth, as an exponent.
    assert torch.allclose(own[1], np.exp(0.2) * torch.eye(3), atol=1e-5)


def test_the_angle_of_a_turn_with_scales_is_found() -> None:
    assert abs(rotation_degrees(moved(25, 9, (1.1, 1.1, 1.1))) - 25) < 1e-6


def test_means_over_blocks_lie_where_their_voxels_lie() -> None:
    ramp = np.indices((9, 8, 12))[0].astype(np.float32)
    affine = np.diag([-1.0, 2.0, 1.0, 1.0])
    coarse, fine = pyramid(ramp, affine, (4.0, 2.0))
    assert coarse.grid.shape == (3, 4, 3)
    assert np.allclose(fine.affine[:3, 3], [-0.5, 0, 0.5])
    assert np.allclose(coarse.affine[:3, 3], [-1.5, 1, 1.5])


def test_the_piece_around_the_foreground_keeps_its_place() -> None:
    array = np.zeros((30, 30, 30), np.float32)
    array[20, 10:12, 9] = 100.0
    (level,) = pyramid(array, np.eye(4), (1.0,))
    piece = level.cropped()
    assert piece.grid.shape == (9, 10, 9)
    assert np.allclose(piece.affine[:3, 3], [16, 6, 5])
    assert piece.volume.sum() == level.volume.sum()


def test_intensities_do_not_depend_on_their_scale() -> None:
    image = painted(PLAIN)
    assert np.allclose(normalised(image), normalised(30 * image), atol=1e-6)
    assert normalised(image).max() == 1.0


def test_the_first_starts_are_the_headers_and_turns_are_proper() -> None:
    (level,) = pyramid(painted(PLAIN), PLAIN.affine, (8.0,))
    found = all_starts(level, level)
    forward, _ = found.matrices(found.zeros())
    assert torch.allclose(forward[0], torch.eye(4), atol=1e-4)
    turns = np.stack(list(rotations(np.diag([1.0, 2.0, 3.0]), np.diag([3.0, 1.0, 2.0]))))
    assert np.allclose(np.linalg.det(turns), 1)
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3))


def image(seed: int) -> Float[torch.Tensor, "1 1 12 13 14"]:
    return torch.rand(1, 1, 12, 13, 14, generator=torch.Generator().manual_seed(seed))


def test_any_relation_of_values_is_information_and_none_is_not() -> None:
    compare = information(16, 10_000)(image(0))
    assert compare(image(0), None) > 0.95
    assert compare((2 * image(0) - 1).abs(), None) > 0.9
    assert compare(image(1), None) < 0.3


@pytest.mark.parametrize(
    ("measure", "one"),
    [
        (tissue_correlation, 0.2 + 0.8 * image(0)),  # all of it is foreground
        (information(16, 10_000), image(0)),
        (local_correlation(1), image(0)),
    ],
)
def test_voxels_without_weight_do_not_count(measure: SimilarityMeasure, one: torch.Tensor) -> None:
    spoilt, weights = one.clone(), torch.ones_like(one)
    spoilt[:, :, :4], weights[:, :, :4] = 0.5, 0.0
    compare = measure(one)
    assert compare(spoilt, weights) > 0.95
    assert compare(spoilt, weights) > compare(spoilt, None)


def test_what_is_alike_in_the_outline_alone_is_not_alike_in_the_tissue() -> None:
    """As T1 and T2 show a brain: both bright on black, and inside one the other's negative."""
    inside = torch.zeros(1, 1, 24, 24, 24)
    inside[..., 4:-4, 4:-4, 4:-4] = 1
    pattern = torch.rand(1, 1, 24, 24, 24, generator=torch.Generator().manual_seed(3))
    one, other = inside * (0.5 + 0.2 * pattern), inside * (0.7 - 0.2 * pattern)
    whole = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
    assert whole > 0.8
    assert tissue_correlation(one)(other, None) < -0.95
    assert tissue_correlation(one)(one, None) > 0.95


def test_the_derivative_of_the_information_is_that_of_finite_differences() -> None:
    compare = information(8, 10_000)(image(0))
    warped, step = 0.7 * image(0) + 0.3 * image(1), 1e-2 * (image(2) - 0.5)
    free = warped.clone().requires_grad_()
    compare(free, None).sum().backward()
    assert free.grad is not None
    expected = (compare(warped + step, None) - compare(warped - step, None)) / 2
    # The kernel has corners at the bins, so differences over a step are not quite the derivative.
    assert torch.allclose((free.grad * step).sum(), expected.sum(), rtol=0.1, atol=1e-5)


def test_a_slow_change_of_brightness_leaves_the_local_correlation() -> None:
    field = torch.linspace(0.5, 1.5, 12).view(1, 1, 12, 1, 1)
    compare = local_correlation(1)(image(0))
    assert compare(image(0) * field, None) > 0.97
    assert compare(image(1), None) < 0.2
