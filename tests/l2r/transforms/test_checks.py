"""Fields that cannot be meant: NaN, another unit, places instead of displacements."""

import logging
from pathlib import Path

import numpy as np
import pytest

from l2r.errors import TransformError
from l2r.transforms.checks import check_vectors
from l2r.transforms.grids import Grid

GRID = Grid((6, 5, 4), np.eye(4))
PATH = Path("warp.nii.gz")


def with_one(value: float) -> np.ndarray:
    """Zeros but for one component."""
    vectors = np.zeros((*GRID.shape, 3), np.float32)
    vectors[2, 3, 1, 1] = value
    return vectors


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_single_value_that_is_not_finite_is_counted(value: float) -> None:
    with pytest.raises(TransformError, match=r"^warp.nii.gz: 1 of 360 values are NaN or infinite$"):
        check_vectors(with_one(value), GRID, PATH, "voxels")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_displacement_may_be_as_long_as_the_longest_axis_and_no_longer(sign: int) -> None:
    check_vectors(with_one(sign * 6.0), GRID, PATH, "voxels")
    with pytest.raises(TransformError, match=r"up to 6\.5 voxels on a grid of \(6, 5, 4\)"):
        check_vectors(with_one(sign * 6.5), GRID, PATH, "voxels")


def test_the_unit_that_was_assumed_is_named() -> None:
    with pytest.raises(TransformError, match="read as millimetres; is it in another unit"):
        check_vectors(with_one(100.0), GRID, PATH, "millimetres")


@pytest.mark.parametrize(
    ("value", "count"), [(0.0, 0), (0.01, 1), (-0.49, 1), (0.5, 0), (-0.5, 0), (3.0, 0)]
)
def test_only_fields_between_nothing_and_half_a_voxel_are_worth_a_warning(
    value: float, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "l2r.transforms.checks"):
        check_vectors(with_one(value), GRID, PATH, "voxels")
    assert len(caplog.records) == count
