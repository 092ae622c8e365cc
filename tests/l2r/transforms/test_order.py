"""The order of a chain, by the places that it comes along."""

import numpy as np
import pytest

from l2r.errors import TransformError
from l2r.transforms.base import AffineTransform, SpatialTransform, TransformChain
from l2r.transforms.displacement import DisplacementTransform
from l2r.transforms.grids import Grid
from l2r.transforms.order import check_order
from tests.l2r.transforms.making import FIXED, bumps, turn


def shift(x_mm: float) -> AffineTransform:
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    return AffineTransform(matrix)


def still(x_mm: float) -> DisplacementTransform:
    """A field of zeros on ten voxels of 1 mm that begin at a place along x."""
    grid = Grid((10, 10, 10), shift(x_mm).matrix)
    return DisplacementTransform(grid, np.zeros((10, 10, 10, 3), np.float32))


REFERENCE = still(0).grid


def names(parts: list[SpatialTransform]) -> list[str]:
    return [f"part{number}" for number in range(len(parts))]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [shift(1000)],
        [still(0)],
        [shift(100), still(100)],
        [still(0), shift(100), still(100)],
        [TransformChain([shift(100), still(100)]), shift(-100), still(0)],
        [shift(100), still(100).inverse()],
    ],
)
def test_chains_that_meet_their_fields_are_accepted(parts: list[SpatialTransform]) -> None:
    assert check_order(parts, names(parts), REFERENCE) is None


@pytest.mark.parametrize(
    ("parts", "guilty"),
    [
        ([still(100)], "part0"),
        ([still(100).inverse()], "part0"),
        ([still(100), shift(100)], "part0"),
        ([still(0), shift(100), still(0)], "part2"),
        ([shift(1), TransformChain([shift(100), still(0)])], "part1"),
    ],
)
def test_the_first_field_that_lies_elsewhere_is_named(
    parts: list[SpatialTransform], guilty: str
) -> None:
    with pytest.raises(TransformError, match=f"^{guilty}: the field lies elsewhere"):
        check_order(parts, names(parts), REFERENCE)


def test_one_place_that_is_met_is_enough() -> None:
    check_order([still(9.4)], ["part"], REFERENCE)  # x = 9 is within 9.4 - 0.5
    with pytest.raises(TransformError, match="lies elsewhere"):
        check_order([still(9.6)], ["part"], REFERENCE)


def test_a_grid_of_one_voxel_can_begin_a_chain() -> None:
    voxel = Grid((1, 1, 1), shift(5).matrix)
    assert check_order([still(0)], ["part"], voxel) is None
    with pytest.raises(TransformError, match="lies elsewhere"):
        check_order([still(100)], ["part"], voxel)


def test_oblique_grids_are_followed_in_millimetres() -> None:
    far = AffineTransform(shift(300).matrix @ turn().matrix)
    check_order([bumps(FIXED), turn()], ["a", "b"], FIXED)
    with pytest.raises(TransformError, match=r"^b: "):
        check_order([far, bumps(FIXED)], ["a", "b"], FIXED)


def test_every_part_needs_its_name() -> None:
    with pytest.raises(ValueError, match="shorter"):
        check_order([shift(1), shift(2)], ["a"], REFERENCE)
