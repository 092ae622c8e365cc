"""Maps to start from: where the headers put the images, centres, principal axes, rotations."""

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.affine.levels import Level, moments_mm
from models.affine.parameters import Starts

_Matrix3 = Float[np.ndarray, "3 3"]
_Point = Float[np.ndarray, " 3"]

_TURNS_DEGREES = (-24.0, 0.0, 24.0)
"""About each axis; the search from each reaches half of the step and more."""


def all_starts(fixed: Level, moving: Level) -> Starts:
    """Every start, the images' own headers first."""
    (one, spread), (other, its_spread) = moments_mm(fixed), moments_mm(moving)
    pairs = [(one, np.eye(3)), *((other, turn) for turn in rotations(spread, its_spread))]
    middle = _middle_mm(moving) - _middle_mm(fixed) + one
    pairs += [(middle, turn) for turn in _small_turns()]
    centres, turns = zip(*pairs, strict=True)
    return Starts(
        torch.from_numpy(one).float(),
        torch.from_numpy(np.stack(centres)).float(),
        torch.from_numpy(np.stack(turns)).float(),
    )


def rotations(spread: _Matrix3, other: _Matrix3) -> Iterator[_Matrix3]:
    """Small turns, principal axes onto principal axes, and quarter turns.

    Args:
        spread: covariance of the fixed image's foreground.
        other: of the moving image's.
    """
    yield from _small_turns()
    yield from _axes_onto_axes(spread, other)
    yield from _quarter_turns()


def _small_turns() -> Iterator[_Matrix3]:
    for angles in product(_TURNS_DEGREES, repeat=3):
        yield Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


def _axes_onto_axes(spread: _Matrix3, other: _Matrix3) -> Iterator[_Matrix3]:
    one, its = np.linalg.eigh(spread)[1], np.linalg.eigh(other)[1]
    for signs in product((1.0, -1.0), repeat=3):
        turn = its @ np.diag(signs) @ one.T
        if np.linalg.det(turn) > 0:
            yield turn


def _quarter_turns() -> Iterator[_Matrix3]:
    """The 23 ways in which a header can mix up the axes and keep left and right."""
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        turn = np.eye(3)[list(order)] * np.array(signs)[:, None]
        if np.linalg.det(turn) > 0 and not np.allclose(turn, np.eye(3)):
            yield turn


def _middle_mm(level: Level) -> _Point:
    return level.affine[:3, :3] @ (np.array(level.grid.shape) - 1) / 2 + level.affine[:3, 3]
