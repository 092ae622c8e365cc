"""What every refinement of the run file keeps to."""

from typing import get_args

import numpy as np
import pytest
import torch

from l2r.dataset import read_pairs
from l2r.files import read_image
from l2r.grid import GridRule, working_grid
from models.optim.instance import InstanceOptimisationConfig, Level
from pipeline.config import Refinement
from pipeline.refine import RefineByDescent
from pipeline.stage import Predicted, Prepared

QUICK = {
    InstanceOptimisationConfig: InstanceOptimisationConfig(
        weight=0.1, levels=(Level(shrink=2, control=4, steps=8, learning_rate=0.1),)
    )
}
"""Settings with which a refinement takes a fraction of a second."""
KINDS = get_args(get_args(Refinement)[0]) if get_args(Refinement) else (Refinement,)


@pytest.fixture
def predicted(phantom) -> Predicted:
    pair = read_pairs(phantom / "PHANTOM_dataset.json", phantom)[0]
    fixed, moving = (read_image(s.path).array / np.float32(255) for s in (pair.fixed, pair.moving))
    grid = working_grid(fixed.shape, moving.shape, GridRule())
    prepared = Prepared(pair, fixed, moving, grid, np.eye(4))
    return Predicted(prepared, np.zeros((*fixed.shape, 3), np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_pair_and_grid_and_leaves_a_note(kind: type, predicted: Predicted) -> None:
    before = predicted.vectors.copy()
    refined = RefineByDescent(QUICK[kind].build(), torch.device("cpu"))(predicted)
    assert refined.prepared is predicted.prepared
    assert refined.vectors.shape == predicted.vectors.shape
    assert np.isfinite(refined.vectors).all()
    assert refined.vectors.any()
    assert len(refined.log) == 1
    assert np.array_equal(predicted.vectors, before)


@pytest.mark.parametrize("kind", KINDS)
def test_refining_twice_is_repeatable_and_notes_both(kind: type, predicted: Predicted) -> None:
    refine = RefineByDescent(QUICK[kind].build(), torch.device("cpu"))
    first, second = refine(refine(predicted)), refine(refine(predicted))
    assert len(first.log) == 2
    assert np.array_equal(first.vectors, second.vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_the_grid_that_it_wants_is_a_positive_multiple(kind: type) -> None:
    assert QUICK[kind].grid.multiple >= 1
