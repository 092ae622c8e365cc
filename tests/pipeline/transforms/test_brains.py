"""Chains on real brains, those of the sample."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from l2r.transforms.base import TransformChain
from l2r.transforms.grids import Grid
from l2r.transforms.residual import round_trip
from pipeline.register.registration import Registration
from tests.l2r.transforms.making import turn

IMAGES = Path(__file__).parents[3] / "sample/imagesVal"


@pytest.mark.slow
def test_matrix_field_and_inverse_field_return_within_the_stated_residual() -> None:
    brains = [nib.load(IMAGES / f"SAMPLE_000{n}_0000.nii.gz") for n in (1, 2)]
    halves = [brain.slicer[::2, ::2, ::2] for brain in brains]
    result = Registration.from_config("any_fast", task="any", device="cpu")(*halves)
    grid = result.transform.grid
    # The matrix turns the head out of its grid, so the middle of it is looked at.
    middle = grid.affine @ np.array([[1.0, 0, 0, 20], [0, 1, 0, 28], [0, 0, 1, 24], [0, 0, 0, 1]])
    inner = Grid((40, 56, 48), middle)
    stated, _ = round_trip(result.transform, result.inverse, inner, grid)
    assert stated.mean < 0.1  # voxels
    assert stated.failed < 1  # percent; where the field folds
    forward = TransformChain([turn(), result.transform])
    backward = TransformChain([result.inverse, turn().inverse()])
    found, _ = round_trip(forward, backward, inner, grid)
    assert found.p99 < 1.5 * stated.p99
    assert found.mean < 1.5 * stated.mean
