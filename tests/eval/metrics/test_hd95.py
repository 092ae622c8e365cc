"""Distance of structures."""

from functools import partial

import numpy as np
import pytest

from eval.metrics.base import mean_of_defined
from eval.metrics.distances import robust_hausdorff
from eval.metrics.hd95 import Hd95
from eval.metrics.structural import per_structure
from eval.metrics.surface import both_surfaces
from eval.structures import LabelMaps, Structures, find_structures
from tests.eval import oracles
from tests.eval.conftest import LABELS, Phantom

SHAPE = (16, 12, 10)


def maps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 6, (2, 4, 3, 5))
    fixed, moving = np.kron(coarse, np.ones((4, 4, 2), int))
    return fixed, moving


def unmoved(fixed: np.ndarray, moving: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    return surface_distances(find_structures(LabelMaps(fixed, moving, moving), ids))


def surface_distances(found: Structures) -> np.ndarray:
    measure = partial(robust_hausdorff, percent=95.0)
    return per_structure(both_surfaces(found), found.defined, measure)


@pytest.mark.parametrize("seed", range(5))
def test_every_structure_has_the_packages_distance(seed: int) -> None:
    fixed, moving = maps(seed)
    ids = (0, 1, 2, 3, 4, 5, 6)
    expected = oracles.per_label(fixed, moving, moving, ids, oracles.hd95)
    np.testing.assert_array_equal(unmoved(fixed, moving, ids), expected)


def test_naming_the_labels_anew_only_reorders() -> None:
    fixed, moving = maps(11)
    forward, backward = unmoved(fixed, moving, (1, 2, 3)), unmoved(fixed, moving, (3, 1, 2))
    np.testing.assert_array_equal(forward[[2, 0, 1]], backward)


def test_single_voxels_in_opposite_corners() -> None:
    fixed, moving = np.zeros((2, *SHAPE), int)
    fixed[0, 0, 0] = moving[-1, -1, -1] = 4
    far = np.sqrt(15**2 + 11**2 + 9**2)
    assert unmoved(fixed, moving, (4,)).tolist() == [far]


def test_labels_of_one_map_only_are_left_out() -> None:
    fixed, moving = np.zeros((2, *SHAPE), int)
    fixed[2, 2, 2], moving[3, 3, 3] = 1, 2
    assert np.isnan(unmoved(fixed, moving, (1, 2, 3))).all()


def test_a_structure_that_vanishes_in_warping_makes_the_mean_infinite(phantom: Phantom) -> None:
    case = phantom.case_without(0, "labels", LABELS.index(3) + 1)
    result = Hd95(name="HD95")(case)
    rest = [value for value in result.detailed if np.isfinite(value)]
    assert result.mean == result.detailed[LABELS.index(3)] == float("inf")
    assert len(rest) == 4
    assert result.note == (
        f"1 of 6 structures vanished (3), mean of the others {np.mean(rest):.4f}"
    )


def test_a_map_without_structures_has_no_distances() -> None:
    empty = np.zeros(SHAPE, int)
    found = find_structures(LabelMaps(empty, empty, empty), None)
    assert surface_distances(found).size == 0


def test_nothing_is_noted_where_nothing_vanished(phantom: Phantom) -> None:
    result = Hd95(name="HD95")(phantom.case(0))
    assert result.note == ""
    assert np.isfinite(result.mean)


def test_a_higher_percentage_is_a_larger_distance(phantom: Phantom) -> None:
    case = phantom.case(0)
    assert Hd95(name="H", percent=50)(case).mean < Hd95(name="H", percent=100)(case).mean


@pytest.mark.golden
def test_the_published_distances_are_reproduced(golden) -> None:
    vectors = golden("metrics")
    ids = tuple(vectors["seg.labels"].tolist())
    maps = LabelMaps(*(vectors[f"seg.{name}"] for name in ("fixed", "moving", "warped")))
    distances = surface_distances(find_structures(maps, ids))
    np.testing.assert_allclose(distances, vectors["seg.hd95"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        mean_of_defined(distances), vectors["seg.mean_hd95"], rtol=0, atol=1e-9
    )
